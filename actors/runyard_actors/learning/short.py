"""Runs that had too little memory: how often, and how much would have been enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runyard_actors.learning.learn import rounded_up, with_margin
from runyard_actors.learning.past import PastRun
from runyard_actors.run import Reason
from runyard_cluster.sizes import format_size

#: What to try where nobody knows how much is enough, in percent of what was too little.
_GUESS_PERCENT = 150


@dataclass(frozen=True, slots=True)
class More:
    """An amount in bytes, and the sentence that says why."""

    amount: int
    sentence: str


def more_memory(runs: Sequence[PastRun], asked: int, most: int) -> More | None:
    """Return what to ask for instead of `asked`; None if that was enough, or the node has no more than it."""
    stopped = [r for r in runs if r.reason is Reason.MEMORY_LIMIT and r.request.memory_bytes >= asked]
    grown = [r for r in runs if r.memory_retries and r.has_completed and r.request.memory_bytes > asked]
    peaks = [r.peak_memory for r in runs if r.has_completed and r.peak_memory is not None]
    if not asked or asked >= most or not (stopped or grown):
        return None
    enough = max((with_margin(peak) for peak in peaks), default=0)
    if not stopped and enough > asked:
        amount, words = min(enough, most), "would have held all"
    else:
        largest = max((r.request.memory_bytes for r in stopped), default=asked)
        guess = rounded_up(largest * _GUESS_PERCENT // 100)
        amount, words = min(max(guess, enough), most), "may do, or retry_on_out_of_memory finds out"
    count = len(stopped) + len(grown)
    times = "once" if count == 1 else f"{count} times"
    size = format_size(amount)
    return More(amount, f"was stopped at its memory limit {times} in {len(runs)} runs: {size} {words}")
