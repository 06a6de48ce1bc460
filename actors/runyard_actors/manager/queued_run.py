"""A run as the scheduling core knows it: the few fields of it that decide when it may start."""

from __future__ import annotations

from runyard_actors.run import RunSpec
from runyard_actors.scheduling.decision import QueuedRun
from runyard_actors.store.records import StoredRun


def queued_run(run: RunSpec | StoredRun) -> QueuedRun:
    """Return what the core needs to know of a run that was submitted now, or that the store told of."""
    return QueuedRun(
        run_id=run.run_id,
        request=run.request,
        module_id=run.module_id,
        batch_id=run.batch_id,
        priority=run.priority,
        after=run.after,
    )
