"""A past run, as far as one can learn from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runyard_actors.request import Request
from runyard_actors.run import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """A run that completed or failed: what it asked for, what it used, and why it ended.

    Peaks are bytes, None where they were not measured; `seconds` is what its last attempt took, and
    `memory_retries` how often it was queued again because it had too little memory.
    """

    request: Request
    reason: Reason | None = None
    peak_memory: int | None = None
    peak_gpu_memory: int | None = None
    cpu_seconds: float | None = None
    seconds: float | None = None
    memory_retries: int = 0

    @property
    def has_completed(self) -> bool:
        """Whether it did all that it was started for: only then are its peaks those of the whole work."""
        return self.reason is None


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that at least `percent` of them do not pass (nearest rank). Needs one value."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
