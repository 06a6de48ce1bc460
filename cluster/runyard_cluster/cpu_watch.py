"""How busy other programs keep the CPU: all of it, less what our own runs use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import psutil

from runyard_cluster.cpu_meter import cpu_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessTimes:
    """The CPU seconds of one process, and of all its children that ended and that it waited for."""

    pid: int
    parent: int
    own: float
    ended_children: float = 0.0


class CpuWatch:
    """Measures between two samples. Up to `threshold` percent it takes the cheap way and looks at no process."""

    def __init__(
        self,
        threshold: float,
        *,
        machine: Callable[[], tuple[float, float]] = cpu_seconds,
        processes: Callable[[], Iterable[ProcessTimes]] | None = None,
    ) -> None:
        """`machine` returns the busy and all seconds of the CPUs so far, `processes` those of each process."""
        self._threshold = threshold
        self._machine = machine
        self._processes = processes or process_times
        self._last_machine: tuple[float, float] | None = None
        self._last_own: dict[int, ProcessTimes] | None = None

    def sample(self, own_roots: Collection[int]) -> float:
        """Return the percent of the machine that processes not below `own_roots` used since the last sample.

        The first call returns 0, and so does the first one above the threshold: there is nothing to compare with.
        """
        last, self._last_machine = self._last_machine, self._machine()
        if last is None:
            return 0.0
        elapsed = self._last_machine[1] - last[1]
        busy = self._last_machine[0] - last[0]
        if elapsed <= 0:
            return 0.0
        percent = 100.0 * busy / elapsed
        if percent <= self._threshold:
            self._last_own = None
            return max(0.0, percent)
        before, self._last_own = self._last_own, below(own_roots, self._processes())
        if before is None:
            return 0.0
        return max(0.0, percent - 100.0 * used_between(before, self._last_own) / elapsed)


def process_times() -> Iterable[ProcessTimes]:
    """Yield the times of every process of the machine that may be looked at."""
    for process in psutil.process_iter(["ppid", "cpu_times"]):
        times = process.info["cpu_times"]
        if times is not None:
            yield ProcessTimes(
                pid=process.pid,
                parent=process.info["ppid"],
                own=times.user + times.system,
                ended_children=getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0),
            )


def below(roots: Collection[int], processes: Iterable[ProcessTimes]) -> dict[int, ProcessTimes]:
    """Return the processes that are one of `roots` or descend from one, by pid."""
    every = {process.pid: process for process in processes}
    is_below = dict.fromkeys(roots, True)
    for pid in every:
        path: list[int] = []
        while pid not in is_below and pid in every:
            # Until its ancestors say otherwise: that ends a circle, which a reused pid can make.
            is_below[pid] = False
            path.append(pid)
            pid = every[pid].parent
        is_below |= dict.fromkeys(path, is_below.get(pid, False))
    return {pid: process for pid, process in every.items() if is_below[pid]}


def used_between(before: Mapping[int, ProcessTimes], after: Mapping[int, ProcessTimes]) -> float:
    """Return the CPU seconds that one's own processes used from one look to the next.

    The whole time of a child that ended is added to its parent; what was counted of it before comes off again.
    Where the system does not add it (macOS, Windows), a process' own time is the better figure.
    """
    counted = dict.fromkeys(after, 0.0)
    for pid, old in before.items():
        heir = pid if pid in after else _heir(old, before, after)
        if heir is not None:
            counted[heir] += old.own + old.ended_children
    return sum(
        max(0.0, _grown(before.get(pid), new), new.own + new.ended_children - counted[pid])
        for pid, new in after.items()
    )


def _grown(old: ProcessTimes | None, new: ProcessTimes) -> float:
    return new.own - old.own if old else new.own


def _heir(
    ended: ProcessTimes, before: Mapping[int, ProcessTimes], after: Mapping[int, ProcessTimes]
) -> int | None:
    """Return the nearest ancestor that still runs: what the ended one used was added to its times."""
    pid: int = ended.parent
    for _ in range(len(before)):
        if pid in after:
            return pid
        if pid not in before:
            return None
        pid = before[pid].parent
    return None
