"""Learn: how much memory the next run of a module asks for, from what its past runs used at most.

The request is a limit, too: who passes it is killed. So both figures are more careful than those of the vertical
autoscaler of Kubernetes, whose target for memory is the 90th percentile of the peaks plus 15 %, and which names the
95th percentile as its upper bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runyard_actors.learning.past import PastRun, percentile
from runyard_cluster.sizes import format_size

#: How many of the newest completed runs are asked: a module that changed is learned anew within that many.
NEWEST = 200
#: With fewer known peaks than this, one odd run would say everything.
FEWEST = 5
PERCENT = 95
#: Added to the percentile, in percent: the next run is a little different, and its peak is measured in steps.
MARGIN_PERCENT = 20
#: And at least this many bytes: an interpreter with a few libraries more or less varies by as much.
LEAST_MARGIN = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Learned:
    """A request for memory in bytes, None where too little is known; `note` says in words where it came from."""

    amount: int | None
    note: str


def learn_memory(runs: Sequence[PastRun], most: int | None) -> Learned:
    """Return what the next run asks for, at most `most` bytes, as far as the node has that."""
    return _learn("memory", [r.peak_memory for r in runs if r.has_completed], most)


def learn_gpu_memory(runs: Sequence[PastRun], most: int | None) -> Learned:
    """Return the GPU memory that the next run asks for, at most `most` bytes."""
    return _learn("gpu_memory", [r.peak_gpu_memory for r in runs if r.has_completed], most)


def with_margin(peak: float) -> int:
    """Return a request that leaves a peak of that many bytes some room."""
    return rounded_up(max(int(peak * (100 + MARGIN_PERCENT)) // 100, int(peak) + LEAST_MARGIN))


def rounded_up(size: int) -> int:
    """Return the next size in steps of a sixteenth of its power of two: few different ones, none 7 % too large."""
    step = max(1, 1 << max(0, size.bit_length() - 5))
    return -(-size // step) * step


def _learn(field: str, measured: Sequence[int | None], most: int | None) -> Learned:
    peaks = [peak for peak in measured if peak is not None]
    if len(peaks) < FEWEST:
        known = "no peak is" if not peaks else "1 peak is" if len(peaks) == 1 else f"{len(peaks)} peaks are"
        return Learned(None, f"{field} by default: {known} known, and {FEWEST} are needed to learn from")
    peak = int(percentile(peaks, PERCENT))
    amount = with_margin(peak)
    if most is not None and amount > most:
        margin, amount = f"as much as there is, of {format_size(amount)}", most
    elif peak * MARGIN_PERCENT // 100 < LEAST_MARGIN:
        margin = f"plus {format_size(LEAST_MARGIN)}"
    else:
        margin = f"plus {MARGIN_PERCENT} %"
    found = f"{PERCENT}th percentile of {len(peaks)} peaks is {format_size(peak)}"
    return Learned(amount, f"{field} {format_size(amount)} learned: {found}, {margin}")
