"""Edit: the priority of runs that have not ended, and the limit of a batch, changed while they wait and run."""

from __future__ import annotations

import asyncio
import time

from runyard_actors.manager.messages import BatchEdit
from runyard_actors.manager.yard import Yard
from runyard_actors.run import BatchId, RunId, Status
from runyard_actors.store.changes import BatchEdited, Change, RunEdited
from runyard_cluster.errors import ConflictError, NotFoundError


async def edit_run(yard: Yard, run_id: RunId, priority: int) -> None:
    """Give a run another priority; repeating it is no error. Raises NotFoundError and ConflictError."""
    await yard.admitting.wait_for([run_id])
    if not yard.core.on_priority(run_id, priority):
        status = await asyncio.to_thread(yard.reader.status, run_id)
        if status is None:
            raise NotFoundError(f"no run {run_id} is known")
        raise ConflictError(f"run {run_id} has ended already: {Status(status)}")
    yard.pump()
    await yard.write_surely([RunEdited(run_id=run_id, priority=priority, at=time.time_ns() // 1000)])


async def edit_batch(yard: Yard, batch_id: BatchId, edit: BatchEdit) -> None:
    """Change a batch's limit, and the priority of its runs that have not started."""
    await yard.admitting.wait_for([batch_id])
    now = time.time_ns() // 1000
    changes: list[Change] = []
    if edit.has_limit:
        yard.core.on_batch_limit(batch_id, edit.max_concurrent)
        changes.append(BatchEdited(batch_id=batch_id, max_concurrent=edit.max_concurrent, at=now))
    if edit.priority is not None:
        for run_id in yard.core.inactive_of(batch_id):
            yard.core.on_priority(run_id, edit.priority)
            changes.append(RunEdited(run_id=run_id, priority=edit.priority, at=now))
    yard.pump()
    await yard.write_surely(changes)
