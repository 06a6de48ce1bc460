"""Cancel: a queued run never starts after the answer; a running one is told to stop, through its shim."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence

from runyard_actors.manager.active import ActiveRun, CancelOrder
from runyard_actors.manager.batches import look_at_awaited
from runyard_actors.manager.messages import CancelAnswer
from runyard_actors.manager.yard import Yard
from runyard_actors.run import BatchId, Reason, RunId
from runyard_actors.stopping import stop_attempt
from runyard_actors.store.changes import BatchCancelled, BatchClosed, CancelRequested, Change, RunDropped
from runyard_cluster.errors import NotFoundError
from runyard_cluster.failpoint import hit


async def cancel(yard: Yard, run_ids: Sequence[RunId], why: str | None) -> CancelAnswer:
    """Cancel runs; a repeated cancel is no error. Raises NotFoundError if one is unknown."""
    await yard.admitting.wait_for(run_ids)
    order = CancelOrder(Reason.CANCELLED_BY_USER, why or "cancelled by the user")
    return await _cancel(yard, run_ids, order, [])


async def cancel_batch(yard: Yard, batch_id: BatchId, why: str | None) -> CancelAnswer:
    """Cancel all of a batch that has not ended, and close it. Raises NotFoundError."""
    if await asyncio.to_thread(yard.reader.batch, batch_id) is None:
        raise NotFoundError(f"no batch {batch_id} is known")
    yard.batches.closing.add(batch_id)
    # After the read, which may have seen what is committed and not queued yet.
    await yard.admitting.wait_for([batch_id])
    queued = yard.core.on_batch_cancelled(batch_id)
    active = [a.run_id for a in yard.active.values() if a.batch_id == batch_id]
    order = CancelOrder(Reason.BATCH_CANCELLED, why or "its batch was cancelled")
    now = time.time_ns() // 1000
    notes: list[Change] = [BatchCancelled(batch_id=batch_id, at=now), BatchClosed(batch_id=batch_id, at=now)]
    answer = await _stop(yard, queued, [yard.active[r] for r in active], order, notes, ended=())
    yard.core.on_batch_closed(batch_id)
    yard.batches.on_closed(batch_id)
    return answer


async def _cancel(
    yard: Yard, run_ids: Sequence[RunId], order: CancelOrder, notes: list[Change]
) -> CancelAnswer:
    queued = [r for r in run_ids if yard.core.on_cancelled(r)]
    active = [yard.active[r] for r in run_ids if r in yard.active]
    known = {*queued, *(a.run_id for a in active)}
    others = [r for r in run_ids if r not in known]
    answer = await _stop(yard, queued, active, order, notes, ended=others)
    statuses = {r: await asyncio.to_thread(yard.reader.status, r) for r in others}
    unknown = [r for r, status in statuses.items() if status is None]
    if unknown:
        raise NotFoundError(f"no run {', '.join(unknown[:5])} is known")
    return answer


async def _stop(
    yard: Yard,
    queued: Sequence[RunId],
    active: Sequence[ActiveRun],
    order: CancelOrder,
    notes: Iterable[Change],
    ended: Sequence[str],
) -> CancelAnswer:
    """Record first, then act: nothing is answered that a crash could undo."""
    now = time.time_ns() // 1000
    for attempt in active:
        attempt.cancel = attempt.cancel or order
    for run_id in queued:
        yard.specs.forget(run_id)
        yard.attempts_used.pop(run_id, None)
    dropped = [RunDropped(run_id=r, reason=order.reason, detail=order.detail, at=now) for r in queued]
    asked = [
        CancelRequested(run_id=a.run_id, at=now, reason=order.reason, detail=order.detail) for a in active
    ]
    yard.pump()
    hit("cancel.before_commit")
    await yard.write_surely([*notes, *dropped, *asked])
    hit("cancel.after_commit")
    look_at_awaited(yard)
    for attempt in active:
        if node := yard.other(attempt):
            yard.spawn(node.stop(attempt), f"stop {attempt.run_id} on {node.name}")
        else:
            await asyncio.to_thread(stop_here, attempt)
    hit("cancel.before_answer")
    return CancelAnswer(gone=tuple(queued), stopping=tuple(a.run_id for a in active), ended=tuple(ended))


def stop_here(attempt: ActiveRun) -> None:
    """Carry out a cancel on this node."""
    if order := attempt.stop_order:
        stop_attempt(attempt.folder, order, is_started=attempt.is_started)
