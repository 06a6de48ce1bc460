"""Hold and release: queued runs wait until somebody lets them go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from runyard_actors.manager.yard import Yard
from runyard_actors.run import BatchId, RunId, Status
from runyard_actors.store.changes import RunHeld
from runyard_cluster.errors import ConflictError, NotFoundError


async def hold(yard: Yard, run_ids: Sequence[RunId]) -> None:
    """Hold queued runs; repeating it is no error. Raises NotFoundError and ConflictError, with nothing done then."""
    await yard.admitting.wait_for(run_ids)
    await _refuse_others(yard, run_ids, "held")
    await _hold(yard, run_ids)


async def release(yard: Yard, run_ids: Sequence[RunId]) -> None:
    """Release held runs; for one that is not held, nothing is done. Raises NotFoundError and ConflictError."""
    await yard.admitting.wait_for(run_ids)
    await _refuse_others(yard, run_ids, "released")
    await _release(yard, run_ids)


async def hold_batch(yard: Yard, batch_id: BatchId) -> None:
    """Hold all of a batch that has not started."""
    await yard.admitting.wait_for([batch_id])
    await _hold(yard, yard.core.inactive_of(batch_id))


async def release_batch(yard: Yard, batch_id: BatchId) -> None:
    """Release all of a batch that is held."""
    await yard.admitting.wait_for([batch_id])
    await _release(yard, yard.core.inactive_of(batch_id))


async def _hold(yard: Yard, run_ids: Sequence[RunId]) -> None:
    """Nothing starts once this is called; the answer is durable."""
    held = [run_id for run_id in run_ids if yard.core.on_held(run_id)]
    yard.pump()
    await yard.write_surely(_changes(held, is_held=True))


async def _release(yard: Yard, run_ids: Sequence[RunId]) -> None:
    """Recorded first: what started must not be found held after a crash."""
    await yard.write_surely(_changes(run_ids, is_held=False))
    for run_id in run_ids:
        yard.core.on_released(run_id)
    yard.pump()


def _changes(run_ids: Sequence[RunId], *, is_held: bool) -> list[RunHeld]:
    now = time.time_ns() // 1000
    return [RunHeld(run_id=run_id, is_held=is_held, at=now) for run_id in run_ids]


async def _refuse_others(yard: Yard, run_ids: Sequence[RunId], what: str) -> None:
    for run_id in run_ids:
        if yard.core.waiting_for(run_id) is not None:
            continue
        status = await asyncio.to_thread(yard.reader.status, run_id)
        if status is None:
            raise NotFoundError(f"no run {run_id} is known")
        if Status(status).is_ended:
            raise ConflictError(f"run {run_id} has ended already: {status}")
        raise ConflictError(f"run {run_id} is not queued any more; only a queued run can be {what}")
