"""At once: a single run that nobody stands before is accepted and started in one commit.

Whoever waits for one short run waits for one disk write less. Both are on disk or neither is, so nothing is active
that was never accepted; and until then nobody knows the run's id.
"""

from __future__ import annotations

from runyard_actors.manager import start
from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.messages import Submission
from runyard_actors.manager.queued_run import queued_run
from runyard_actors.manager.yard import Yard
from runyard_actors.run import RunSpec
from runyard_actors.scheduling.decision import Start


def start_at_once(yard: Yard, submission: Submission) -> ActiveRun | None:
    """Register the attempt of a single run that may start now, before it is committed; None: it has to queue."""
    if submission.batch or yard.core.counts().queued:
        return None
    (spec,) = submission.runs
    if not _is_plain(spec) or yard.core.knows(spec.run_id):
        return None
    yard.core.on_submitted([queued_run(spec)])
    decisions = yard.core.decide()
    mine = [d for d in decisions if isinstance(d, Start) and d.run_id == spec.run_id]
    yard.carry_out([d for d in decisions if d not in mine])
    if not mine:
        yard.core.on_cancelled(spec.run_id)
        return None
    attempt = start.register(yard, mine[0])
    attempt.spec = spec
    return attempt


def take_back(yard: Yard, attempt: ActiveRun) -> None:
    """Forget a run of which nothing was committed."""
    del yard.active[attempt.run_id]
    yard.core.on_start_failed(attempt.run_id)
    yard.core.on_cancelled(attempt.run_id)
    yard.pump()


def _is_plain(spec: RunSpec) -> bool:
    """Whether nothing but room stands before a start, and it sets no limit for others."""
    return not spec.after and spec.terms is None and spec.max_concurrent is None
