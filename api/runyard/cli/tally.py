"""How a batch stands, kept up to date run by run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

Run = Mapping[str, Any]

ENDED = ("completed", "failed", "cancelled")
#: Failed runs kept for the summary; beyond, only their number is.
KEPT_FAILURES = 1_000


class Tally:
    """Counts by status, the active runs, and what did not complete, of `total` runs."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.active: dict[str, Run] = {}
        self.failures: list[Run] = []
        self.counts: Counter[str] = Counter(queued=total)
        #: What all of it takes as past runs of its modules went, in seconds; None where nobody can tell.
        self.expected_seconds: float | None = None
        self._status: dict[str, str] = {}

    @property
    def ended(self) -> int:
        """How many runs have ended."""
        return sum(self.counts[status] for status in ENDED)

    @property
    def is_done(self) -> bool:
        """Whether all runs have ended."""
        return self.ended >= self.total

    @property
    def has_failed(self) -> bool:
        """Whether any run ended without completing."""
        return self.ended > self.counts["completed"]

    @property
    def progress(self) -> float:
        """How much is done, 0..1; a running run counts as far as it told."""
        if not self.total:
            return 1.0
        partly = sum(run.get("progress") or 0.0 for run in self.running())
        return min(1.0, (self.ended + partly) / self.total)

    def running(self) -> list[Run]:
        """Return the active runs, as a copy: the view draws in a thread of its own."""
        return list(self.active.values())

    def take(self, run: Run) -> bool:
        """Note a run's state; return whether the run has ended by it. States may come twice."""
        run_id, status = run["run_id"], run["status"]
        before = self._status.get(run_id, "queued")
        if before in ENDED:
            return False
        self._status[run_id] = status
        self.counts[before] -= 1
        self.counts[status] += 1
        if status == "running":
            self.active[run_id] = run
        else:
            self.active.pop(run_id, None)
        if status not in ENDED:
            return False
        if status != "completed" and len(self.failures) < KEPT_FAILURES:
            self.failures.append(run)
        return True

    def eta_seconds(self, elapsed_seconds: float) -> float | None:
        """Return the seconds the rest takes at the pace so far, and while there is no pace, what was expected of it."""
        progress = self.progress
        if self.is_done:
            return None
        if progress <= 0.0 or elapsed_seconds <= 0.0:
            return (
                None if self.expected_seconds is None else max(0.0, self.expected_seconds - elapsed_seconds)
            )
        return elapsed_seconds * (1.0 - progress) / progress
