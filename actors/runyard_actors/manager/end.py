"""End: free what the attempt held at once, then record how it ended for as long as that takes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from dataclasses import replace

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.batches import look_at_awaited
from runyard_actors.manager.retry import retry
from runyard_actors.manager.yard import Yard
from runyard_actors.run import Outcome, Reason, Status
from runyard_actors.scheduling.decision import Drop
from runyard_actors.store.changes import AttemptEnded, RunDropped
from runyard_cluster.failpoint import hit


async def finish(yard: Yard, attempt: ActiveRun, outcome: Outcome) -> None:
    """Free the attempt's slot and resources, send a retry through the queue, record the end."""
    outcome = replace(_as_asked(attempt, outcome), peak_gpu_memory=attempt.peak_gpu_memory)
    again = retry(yard.core, attempt, outcome)
    del yard.active[attempt.run_id]
    if again:
        outcome = _told(outcome, again.words)
        yard.attempts_used[attempt.run_id] = attempt.attempt
        # It may start before its larger request is committed, and must not be read back as it was.
        yard.specs.keep(again.spec)
    else:
        yard.attempts_used.pop(attempt.run_id, None)
    request, not_before = (again.request, again.not_before) if again else (None, None)
    yard.core.on_ended(
        attempt.run_id,
        succeeded=outcome.status is Status.COMPLETED,
        retry=again is not None,
        is_failure=outcome.status is Status.FAILED,
        request=request,
        not_before=not_before,
    )
    hit("end.before_commit")
    change = AttemptEnded(
        run_id=attempt.run_id,
        attempt=attempt.attempt,
        outcome=outcome,
        will_retry=again is not None,
        request=request,
        not_before=not_before,
        started=yard.noted_starts.take(attempt.run_id),
    )
    recorded = yard.write_surely([change])
    yard.pump()
    await recorded
    yard.specs.forget_if_many(attempt.run_id)
    hit("end.after_commit")
    if yard.batches.awaited:
        look_at_awaited(yard, attempt.batch_id)


def _as_asked(attempt: ActiveRun, outcome: Outcome) -> Outcome:
    """A run that was cancelled, and killed before its supervisor heard of that or with it, ended as somebody wanted."""
    if attempt.cancel is None or outcome.reason not in (Reason.SUPERVISOR_LOST, Reason.SIGNAL):
        return outcome
    words = f"{attempt.cancel.detail}; {outcome.reason_detail}"
    return replace(outcome, reason=attempt.cancel.reason, reason_detail=words, ended_by="user")


def _told(outcome: Outcome, words: str) -> Outcome:
    """Add to an outcome's words what follows from it."""
    if not words:
        return outcome
    before = outcome.reason_detail
    return replace(outcome, reason_detail=f"{before}; {words}" if before else words)


def drop(yard: Yard, drops: Sequence[Drop]) -> Awaitable[None]:
    """Record runs that ended without ever starting.

    That stands in line for the disk before this returns: who cancels one next hears how it ended.
    """
    now = time.time_ns() // 1000
    for decision in drops:
        yard.specs.forget(decision.run_id)
        yard.attempts_used.pop(decision.run_id, None)
    return _dropped(
        yard,
        yard.write_surely(
            [RunDropped(run_id=d.run_id, reason=d.reason, detail=d.detail, at=now) for d in drops]
        ),
    )


async def _dropped(yard: Yard, written: Awaitable[None]) -> None:
    await written
    look_at_awaited(yard)
