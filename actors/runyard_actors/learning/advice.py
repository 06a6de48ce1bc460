"""Advice: what a module could ask for instead of what it asks for, with the figures that say why.

A request is called too large only where a smaller one would let more runs go at once on the node as it is, and too
small only where runs were stopped at it, or took what was others'.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from runyard_actors.learning.fit import runs_at_once
from runyard_actors.learning.learn import FEWEST, with_margin
from runyard_actors.learning.past import PastRun, percentile
from runyard_actors.learning.short import more_memory
from runyard_actors.request import WHOLE, Request
from runyard_actors.run import Reason
from runyard_cluster.capacity import Capacity
from runyard_cluster.sizes import format_size

#: Runs shorter than this many seconds are mostly start-up, so they say nothing about CPUs.
LEAST_SECONDS = 1.0
#: Use of CPUs is taken from what all but 5 % of the runs stay below, plus a fifth.
_PERCENT, _MARGIN = 95, 1.2
#: Asking for less than a quarter too few CPUs slows nobody noticeably.
_TOO_FEW = 1.25
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """`suggested` is what to set, by the names of a request; `sentence` says why, and for whom it is understood."""

    kind: str
    sentence: str
    suggested: Mapping[str, int | float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the runs of a module run: the node, and the smallest semaphore that they pass."""

    capacity: Capacity
    slots: int


def advise(
    runs: Sequence[PastRun], request: Request, place: Place, learned: Collection[str] = ()
) -> list[Advice]:
    """Return advice for a module that asks for `request`, the most urgent first.

    `learned` names fields that follow the past by themselves. Fewer than `FEWEST` runs give none.
    """
    if len(runs) < FEWEST:
        return []
    looks: Sequence[Callable[[], Advice | None]] = (
        lambda: None if "memory" in learned else _memory(runs, request, place),
        lambda: None if "gpu_memory" in learned else _less_gpu_memory(runs, request, place),
        lambda: _cpus(runs, request, place),
    )
    found = [advice for look in looks if (advice := look()) is not None]
    return sorted(found, key=lambda advice: not advice.kind.startswith("more"))


def _memory(runs: Sequence[PastRun], request: Request, place: Place) -> Advice | None:
    more = more_memory(runs, request.memory_bytes, place.capacity.memory_bytes)
    if more is not None:
        return Advice(kind="more_memory", sentence=more.sentence, suggested={"memory": more.amount})
    peaks = _known([r.peak_memory for r in runs if r.has_completed])
    amount = with_margin(max(peaks, default=0))
    if not peaks or any(_was_short(r) and r.request.memory_bytes >= amount for r in runs):
        return None
    others = _others(request, replace(request, memory_bytes=amount), place)
    if not others or amount >= request.memory_bytes:
        return None
    sentence = _too_large(request.memory_bytes, peaks, amount, others)
    return Advice(kind="less_memory", sentence=sentence, suggested={"memory": amount})


def _less_gpu_memory(runs: Sequence[PastRun], request: Request, place: Place) -> Advice | None:
    peaks = _known([r.peak_gpu_memory for r in runs if r.has_completed])
    amount = with_margin(max(peaks, default=0))
    if not peaks or any(_was_short(r) and r.request.gpu_memory_bytes >= amount for r in runs):
        return None
    others = _others(request, replace(request, gpu_memory_bytes=amount), place)
    if not others or amount >= request.gpu_memory_bytes:
        return None
    sentence = _too_large(request.gpu_memory_bytes, peaks, amount, others, " of GPU memory")
    return Advice(kind="less_gpu_memory", sentence=sentence, suggested={"gpu_memory": amount})


def _cpus(runs: Sequence[PastRun], request: Request, place: Place) -> Advice | None:
    rates = [
        r.cpu_seconds / r.seconds
        for r in runs
        if r.has_completed and r.cpu_seconds is not None and r.seconds and r.seconds >= LEAST_SECONDS
    ]
    if len(rates) < FEWEST or not request.cpu_milli:
        return None
    mean = sum(rates) / len(rates)
    if mean * WHOLE > _TOO_FEW * request.cpu_milli:
        milli = min(_step(mean), place.capacity.cpu_milli)
        if milli <= request.cpu_milli:
            return None
        sentence = f"{_uses(request, mean, rates)}: {milli / WHOLE:g} would leave other runs what is theirs"
        return Advice(kind="more_cpus", sentence=sentence, suggested={"num_cpus": milli / WHOLE})
    used = percentile(rates, _PERCENT)
    milli = _step(used * _MARGIN)
    others = _others(request, replace(request, cpu_milli=milli), place)
    if not others or milli >= request.cpu_milli:
        return None
    sentence = f"{_uses(request, used, rates)}: {milli / WHOLE:g} would let {others} run"
    return Advice(kind="fewer_cpus", sentence=sentence, suggested={"num_cpus": milli / WHOLE})


def _was_short(run: PastRun) -> bool:
    return run.reason in (Reason.MEMORY_LIMIT, Reason.GPU_MEMORY_LIMIT, Reason.OUT_OF_MEMORY)


def _known(peaks: Sequence[int | None]) -> list[int]:
    """Return the peaks that are known, or none where they are too few to say anything."""
    known = [peak for peak in peaks if peak is not None]
    return known if len(known) >= FEWEST else []


def _others(old: Request, new: Request, place: Place) -> str | None:
    """Return how many more runs go at once with the new request, in words; None for no more."""
    more = runs_at_once(new, place.capacity, place.slots) - runs_at_once(old, place.capacity, place.slots)
    return f"{_WORDS[more] if more < len(_WORDS) else more} more" if more > 0 else None


def _too_large(asked: int, peaks: Sequence[int], amount: int, others: str, of_what: str = "") -> str:
    used = f"peaked at {format_size(max(peaks))} in {len(peaks)} runs"
    return f"asks {format_size(asked)}{of_what}, {used}: {format_size(amount)} would let {others} run"


def _uses(request: Request, used: float, rates: Sequence[float]) -> str:
    asked = request.cpu_milli / WHOLE
    return f"asks {asked:g} CPU{'' if asked == 1 else 's'}, used {used:.1f} in {len(rates)} runs"


def _step(cpus: float) -> int:
    """Round up to tenths of a CPU, and from one CPU on to halves, in thousandths."""
    step = 100 if cpus <= 1 else 500
    return max(step, -(-round(cpus * WHOLE) // step) * step)
