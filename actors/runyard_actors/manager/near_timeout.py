"""Near its timeout: a run that has used 80, and then 90 percent of its time is warned of, before it is stopped."""

from __future__ import annotations

import time
from collections.abc import Sequence

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.yard import Yard
from runyard_actors.run import RunId
from runyard_actors.store.changes import RunWarned
from runyard_cluster.durations import format_duration

#: Shares of its time at which a run is warned of, each once an attempt.
SHARES = (0.8, 0.9)
#: Below that many seconds a warning comes too late for anybody: runs are looked at once a second.
LEAST_SECONDS = 5.0


class TimeoutWatch:
    """Judges each look by what was told before. Nothing is kept of runs without a timeout."""

    def __init__(self) -> None:
        self._told: dict[tuple[RunId, int], float] = {}

    def judge(self, attempts: Sequence[ActiveRun], at: float) -> list[tuple[ActiveRun, str]]:
        """Return what is to be told at `at`, in seconds since the epoch, and of which attempt."""
        before, self._told = self._told, {}
        found = []
        for attempt in attempts:
            limit = attempt.spec.timeout_seconds if attempt.spec else 0.0
            if limit < LEAST_SECONDS or attempt.started is None:
                continue
            key = (attempt.run_id, attempt.attempt)
            # Time held still does not pass, and only its supervisor counts it: of such a run nothing more is told.
            told = 1.0 if attempt.is_suspended else before.get(key, 0.0)
            ran = at - attempt.started.started_at / 1e6
            share = max((each for each in SHARES if ran >= each * limit), default=0.0)
            self._told[key] = max(told, share)
            if share > told and ran < limit:
                found.append((attempt, _words(ran, share, limit)))
        return found


def _words(ran: float, share: float, limit: float) -> str:
    percent = f"{100 * share:.0f} %"
    return f"has run for {format_duration(ran)}, {percent} of its timeout of {format_duration(limit)}"


async def tell_near_timeouts(yard: Yard, watch: TimeoutWatch) -> None:
    """Warn of runs that are near their timeout, wherever they are."""
    now = time.time_ns() // 1000
    found = watch.judge(list(yard.active.values()), now / 1e6)
    await yard.write_if_possible([RunWarned(run_id=a.run_id, words=words, at=now) for a, words in found])
