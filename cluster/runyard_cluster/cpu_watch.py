"""How busy other programs keep the CPU: all of it, less what our own runs use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from runyard_cluster.cpu_meter import cpu_seconds
from runyard_cluster.trees import ProcessRow, nearest_roots, process_rows


class CpuWatch:
    """Measures between two samples. Up to `threshold` percent it takes the cheap way and looks at no process."""

    def __init__(
        self,
        threshold: float,
        *,
        machine: Callable[[], tuple[float, float]] = cpu_seconds,
        processes: Callable[[], Iterable[ProcessRow]] | None = None,
    ) -> None:
        """`machine` returns the busy and all seconds of the CPUs so far, `processes` those of each process."""
        self.threshold = threshold
        self._machine = machine
        self._processes = processes or process_rows
        self._last_machine: tuple[float, float] | None = None
        self._last_own: dict[int, ProcessRow] | None = None

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
        if percent <= self.threshold:
            self._last_own = None
            return max(0.0, percent)
        before, self._last_own = self._last_own, below(own_roots, self._processes())
        if before is None:
            return 0.0
        return max(0.0, percent - 100.0 * used_between(before, self._last_own) / elapsed)


def below(roots: Collection[int], processes: Iterable[ProcessRow]) -> dict[int, ProcessRow]:
    """Return the processes that are one of `roots` or descend from one, by pid."""
    every = {process.pid: process for process in processes}
    return {pid: every[pid] for pid in nearest_roots(roots, every)}


def used_between(before: Mapping[int, ProcessRow], after: Mapping[int, ProcessRow]) -> float:
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


def _grown(old: ProcessRow | None, new: ProcessRow) -> float:
    return new.own - old.own if old else new.own


def _heir(ended: ProcessRow, before: Mapping[int, ProcessRow], after: Mapping[int, ProcessRow]) -> int | None:
    """Return the nearest ancestor that still runs: what the ended one used was added to its times."""
    pid: int = ended.parent
    for _ in range(len(before)):
        if pid in after:
            return pid
        if pid not in before:
            return None
        pid = before[pid].parent
    return None
