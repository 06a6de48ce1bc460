"""A run as the scheduling core knows it: the few fields of it that decide when it may start."""

from __future__ import annotations

from runyard_actors.run import RunId, RunSpec
from runyard_actors.scheduling.decision import Gates, QueuedRun
from runyard_actors.store.records import StoredRun
from runyard_actors.terms import Terms

_MICROSECONDS = 1_000_000


def queued_run(run: RunSpec | StoredRun, created_at: int = 0, attempts_used: int = 0) -> QueuedRun:
    """Return what the core needs to know of a run that was submitted now, or that the store told of."""
    return QueuedRun(
        run_id=run.run_id,
        request=run.request,
        module_id=run.module_id,
        batch_id=run.batch_id,
        priority=run.priority,
        after=run.after,
        gates=None if run.terms is None else _gates(run.terms, created_at, attempts_used),
    )


def _gates(terms: Terms, created_at: int, attempts_used: int) -> Gates:
    """Only the first start has a deadline: a run that started once was not forgotten in the queue."""
    has_deadline = terms.queue_timeout_seconds > 0 and not attempts_used
    return Gates(
        after_any=tuple(map(RunId, terms.after_any)),
        after_failed=tuple(map(RunId, terms.after_failed)),
        not_before=terms.not_before,
        is_held=terms.is_held,
        deadline=created_at + round(terms.queue_timeout_seconds * _MICROSECONDS) if has_deadline else None,
        timeout_seconds=terms.queue_timeout_seconds,
    )
