"""How long runs take: what one that waits will take, and what one that runs still takes."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from runyard_actors.learning.past import PastRun


def usual_seconds(runs: Sequence[PastRun]) -> float | None:
    """Return the median of what completed runs of a module took; None without any.

    The median, because one run that hung for a night says nothing of the next.
    """
    known = _durations(runs)
    return median(known) if known else None


def seconds_left(runs: Sequence[PastRun], elapsed: float) -> float | None:
    """Return how long a run that took `elapsed` seconds so far still takes; None where no run ever completed.

    It is like those that took longer than that. One that is later than all before it goes on for as long as it is late.
    """
    known = _durations(runs)
    if not known:
        return None
    longer = [seconds for seconds in known if seconds > elapsed]
    return median(longer) - elapsed if longer else max(0.0, elapsed - max(known))


def _durations(runs: Sequence[PastRun]) -> list[float]:
    return [run.seconds for run in runs if run.has_completed and run.seconds is not None]
