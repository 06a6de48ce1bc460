"""End: free what the attempt held at once, then record how it ended for as long as that takes."""

from __future__ import annotations

import time
from collections.abc import Sequence

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.yard import Yard
from runyard_actors.run import Outcome, Reason, Status
from runyard_actors.scheduling.decision import Drop
from runyard_actors.store.changes import AttemptEnded, RunDropped
from runyard_cluster.failpoint import hit


async def finish(yard: Yard, attempt: ActiveRun, outcome: Outcome) -> None:
    """Free the attempt's slot and resources, send a retry through the queue, record the end."""
    will_retry = _will_retry(attempt, outcome)
    del yard.active[attempt.run_id]
    if will_retry:
        yard.attempts_used[attempt.run_id] = attempt.attempt
    else:
        yard.attempts_used.pop(attempt.run_id, None)
    yard.core.on_ended(
        attempt.run_id,
        succeeded=outcome.status is Status.COMPLETED,
        retry=will_retry,
        is_failure=outcome.status is Status.FAILED,
    )
    yard.pump()
    hit("end.before_commit")
    change = AttemptEnded(
        run_id=attempt.run_id, attempt=attempt.attempt, outcome=outcome, will_retry=will_retry
    )
    await yard.write_surely([change])
    hit("end.after_commit")


async def drop(yard: Yard, drops: Sequence[Drop]) -> None:
    """Record runs that ended without ever starting."""
    now = time.time_ns() // 1000
    for decision in drops:
        yard.fresh_specs.pop(decision.run_id, None)
        yard.attempts_used.pop(decision.run_id, None)
    await yard.write_surely(
        [RunDropped(run_id=d.run_id, reason=d.reason, detail=d.detail, at=now) for d in drops]
    )


def _will_retry(attempt: ActiveRun, outcome: Outcome) -> bool:
    """A run that could not even be started would fail the same way again, so only real failures are retried."""
    spec = attempt.spec
    return (
        spec is not None
        and attempt.cancel is None
        and outcome.status is Status.FAILED
        and outcome.reason is not Reason.START_ERROR
        and attempt.attempt <= spec.max_retries
    )
