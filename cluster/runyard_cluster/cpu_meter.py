"""How busy the CPUs of this machine are, all programs together."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psutil

#: Shorter spans say little: the system counts CPU time in hundredths of a second.
SHORTEST_SPAN_SECONDS = 0.5


def cpu_seconds() -> tuple[float, float]:
    """Return the seconds that all CPUs together were busy, and that they had, since the machine started."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # Linux counts the time of guests as user time, too.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return total - idle, total


class CpuMeter:
    """Says how busy the CPUs were of late, whoever asks and however often; safe to share between threads."""

    def __init__(self, read: Callable[[], tuple[float, float]] = cpu_seconds) -> None:
        """`read` returns the busy and all seconds of the CPUs so far."""
        self._read = read
        self._lock = threading.Lock()
        self._last = read()
        self._percent = 0.0

    def percent(self) -> float:
        """Return the percent of the machine that was busy since the last call that is long enough ago."""
        with self._lock:
            busy, total = self._read()
            elapsed = total - self._last[1]
            if elapsed >= SHORTEST_SPAN_SECONDS * (psutil.cpu_count() or 1):
                self._percent = min(100.0, max(0.0, 100.0 * (busy - self._last[0]) / elapsed))
                self._last = busy, total
            return self._percent
