"""Usage: what each active run's tree uses right now, measured when somebody asks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from runyard_actors.manager.active import ActiveRun
from runyard_actors.run import RunId
from runyard_cluster import process


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUsage:
    """One run's use: percent of one CPU since the last look, bytes resident in its whole tree."""

    run_id: RunId
    cpu_percent: float
    memory: int


class UsageMeter:
    """Measures between two looks; a run's first look shows no CPU use."""

    def __init__(self) -> None:
        self._last: dict[RunId, tuple[float, float]] = {}

    def sample(self, attempts: Sequence[ActiveRun]) -> list[RunUsage]:
        """Return the use of every run that has started."""
        before, self._last = self._last, {}
        return [self._of(a.run_id, a.started.shim_pid, before) for a in attempts if a.started]

    def _of(self, run_id: RunId, shim_pid: int, before: dict[RunId, tuple[float, float]]) -> RunUsage:
        seconds, memory = process.tree_usage(process.tree([shim_pid]))
        now = time.monotonic()
        self._last[run_id] = (now, seconds)
        then, spent = before.get(run_id, (now, seconds))
        percent = 100.0 * max(0.0, seconds - spent) / (now - then) if now > then else 0.0
        return RunUsage(run_id=run_id, cpu_percent=round(percent, 1), memory=memory)
