"""Near its memory: which runs of this node hold much of what they may, as the manager asks now and then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runyard_actors.measure import RunMeasure, own_memory
from runyard_actors.run import AttemptKey


def near_memory(runs: Iterable[RunMeasure], least: Mapping[AttemptKey, int]) -> dict[AttemptKey, int]:
    """Return the bytes that those runs hold which hold at least so many, of what was measured last.

    The exact figure is dear: it is asked for where the other one says so.
    """
    found = {}
    for run in runs:
        if run.key in least and run.usage.memory >= least[run.key]:
            used = own_memory(run.usage, run.pids)
            if used >= least[run.key]:
                found[run.key] = used
    return found
