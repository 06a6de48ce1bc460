"""Signals on Linux and macOS: those that wake the shim, and those that it sends to a tree."""

from __future__ import annotations

import os
import sys

from runyard_cluster import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable
elif sys.platform != "win32":
    # The numbers alone: `signal` wraps them in enums, at a quarter of what a shim costs to start.
    import _signal as signal

if sys.platform != "win32":

    class Wake:
        """A pipe that receives the numbers of signals as they come."""

        def __init__(self, signals: tuple[int, ...]) -> None:
            self.read_end, self.write_end = os.pipe()
            os.set_blocking(self.write_end, False)
            os.set_blocking(self.read_end, False)
            signal.set_wakeup_fd(self.write_end, warn_on_full_buffer=False)
            for number in signals:
                signal.signal(number, _nothing)

        def close(self) -> None:
            """Take note of no more signals."""
            if self.write_end >= 0:
                signal.set_wakeup_fd(-1)
                os.close(self.read_end)
                os.close(self.write_end)
                self.read_end = self.write_end = -1

    def _nothing(*_: object) -> None:
        """What a waking signal does besides."""

    def terminate(pids: Iterable[int]) -> None:
        """Ask processes to end; what is stopped is woken, or it could not hear."""
        _send(pids, signal.SIGTERM, signal.SIGCONT)

    def hold(pids: Iterable[int]) -> None:
        """Hold processes still; they cannot prevent it."""
        _send(pids, signal.SIGSTOP)

    def let_go(pids: Iterable[int]) -> None:
        """Let processes go on that were held still."""
        _send(pids, signal.SIGCONT)

    def kill(pids: Iterable[int]) -> None:
        """Kill by groups first: what forks faster than it can be listed does not get out of its group."""
        pids = list(pids)
        for group in {_group(pid) for pid in pids} - {0, 1, os.getpgrp()}:
            try:
                os.killpg(group, signal.SIGKILL)
            except OSError:
                continue
        process.kill_pids(pids)

    def _send(pids: Iterable[int], *numbers: int) -> None:
        for pid in pids:
            try:
                for number in numbers:
                    os.kill(pid, number)
            except OSError:
                continue

    def _group(pid: int) -> int:
        try:
            return os.getpgid(pid)
        except OSError:
            return 0
