"""Close batch: an open batch takes no more runs, for ever."""

from __future__ import annotations

import time

from runyard_actors.manager.batches import look_at_awaited
from runyard_actors.manager.yard import Yard
from runyard_actors.run import BatchId
from runyard_actors.store.changes import BatchClosed


async def close_batch(yard: Yard, batch_id: BatchId) -> None:
    """Close a batch; nothing is done with one that is closed. What was accepted before belongs to it."""
    yard.batches.closing.add(batch_id)
    await yard.admitting.wait_for([batch_id])
    await yard.write_surely([BatchClosed(batch_id=batch_id, at=time.time_ns() // 1000)])
    yard.core.on_batch_closed(batch_id)
    yard.batches.on_closed(batch_id)
    look_at_awaited(yard, batch_id)
