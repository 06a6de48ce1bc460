"""How busy other programs keep the CPU: all of it, less what our own runs use."""

from __future__ import annotations

from collections.abc import Collection

import psutil


class CpuWatch:
    """Measures between two samples. Below `threshold` percent it takes the cheap way and looks at no process."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._last_total: tuple[float, float] | None = None
        self._last_own: dict[int, float] | None = None

    def sample(self, own_roots: Collection[int]) -> float:
        """Return the percent of the machine that processes not below `own_roots` used since the last sample.

        The first call returns 0, and so does the first one above the threshold: there is nothing to compare with.
        """
        busy, total = _cpu_times()
        last, self._last_total = self._last_total, (busy, total)
        if last is None or total <= last[1]:
            return 0.0
        elapsed = total - last[1]
        percent = 100.0 * (busy - last[0]) / elapsed
        if percent <= self._threshold:
            self._last_own = None
            return max(0.0, percent)
        before, self._last_own = self._last_own, _times_below(own_roots)
        if before is None:
            return 0.0
        own = sum(seconds - before.get(pid, 0.0) for pid, seconds in self._last_own.items())
        return max(0.0, percent - 100.0 * own / elapsed)


def _cpu_times() -> tuple[float, float]:
    """Return the seconds that all CPUs together were busy, and that they had."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return total - idle, total


def _times_below(roots: Collection[int]) -> dict[int, float]:
    """Return the CPU seconds of every process at or below `roots`, children that ended included."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for process in psutil.process_iter(["ppid", "cpu_times"]):
        times = process.info["cpu_times"]
        if times is not None:
            parents[process.pid] = process.info["ppid"]
            ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
            seconds[process.pid] = times.user + times.system + ended
    return {pid: seconds[pid] for pid in parents if _is_below(pid, roots, parents)}


def _is_below(pid: int, roots: Collection[int], parents: dict[int, int]) -> bool:
    seen: set[int] = set()
    while pid not in roots:
        if pid in seen or pid not in parents:
            return False
        seen.add(pid)
        pid = parents[pid]
    return True
