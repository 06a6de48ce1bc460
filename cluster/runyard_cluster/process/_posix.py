"""Processes on Linux and macOS."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

if sys.platform != "win32":
    import fcntl

    if sys.platform == "linux":
        from runyard_cluster.process import _proc as _table
    else:
        from runyard_cluster.process import _ps as _table

    class FileLock:
        """An exclusive lock on a file, held until released or until this process ends, however it ends."""

        def __init__(self, descriptor: int) -> None:
            self._descriptor = descriptor

        @classmethod
        def acquire(cls, path: Path) -> FileLock | None:
            """Take the lock, or return None when another process holds it. Makes the file if needed."""
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            return cls(descriptor)

        def release(self) -> None:
            """Give the lock back."""
            os.close(self._descriptor)

    def is_locked(path: Path) -> bool:
        """Whether a living process holds the lock; a missing file is not locked."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def wait_unlocked(path: Path) -> None:
        """Wait in the kernel until no process holds the lock: no polling, and no PID that could be reused."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def boot_id() -> str:
        """Return what tells this boot of the machine from every other one."""
        return _table.boot_id()

    def process_start_time(pid: int) -> float | None:
        """Return when the process started, in a unit that only compares; None when there is none."""
        return _table.start_time(pid)

    def is_same_process(pid: int, start: float) -> bool:
        """Whether `pid` is still the process that started at `start`, and not a later one of that number."""
        return process_start_time(pid) == start

    def stop_process(pid: int, start: float, *, kill: bool = False) -> bool:
        """Send TERM, or KILL, to a process unless it is another one by now; return whether it was sent."""
        number = signal.SIGKILL if kill else signal.SIGTERM
        try:
            if sys.platform == "linux":
                return _signal_through_descriptor(pid, start, number)
            if not is_same_process(pid, start):
                return False
            os.kill(pid, number)
        except OSError:
            return False
        return True

    if sys.platform == "linux":

        def _signal_through_descriptor(pid: int, start: float, number: int) -> bool:
            """The descriptor names the process itself, so no reuse of its number can come in between."""
            descriptor = os.pidfd_open(pid)
            try:
                if not is_same_process(pid, start):
                    return False
                signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)
            return True

    def spawn_detached(command: Sequence[str], *, env: Mapping[str, str], cwd: str, stdout: Path) -> int:
        """Start a process in a session of its own, output appended to `stdout`; return its pid."""
        import subprocess  # here, because the shim never needs it and pays for every import

        with stdout.open("ab") as output:
            started = subprocess.Popen(
                list(command),
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        # Not ours to wait for: without this, Python warns that a child was forgotten.
        started.returncode = 0
        return started.pid

    def tree(roots: Iterable[int]) -> list[int]:
        """Return the living descendants of `roots`, without the roots."""
        return _table.descendants(roots)

    def tree_usage(pids: Iterable[int]) -> tuple[float, int]:
        """Return CPU seconds and resident bytes of these processes together."""
        return _table.usage(pids)

    def tree_proportional_bytes(pids: Iterable[int]) -> int:
        """Return the bytes of these processes together, shared pages counted once where the system tells."""
        return _table.proportional_bytes(pids)

    def find_by_cookie(name: str, value: str) -> list[int]:
        """Return the processes that were started with this variable in their environment."""
        return [pid for pid in _table.with_variable(name, value) if pid != os.getpid()]

    def kill_pids(pids: Iterable[int]) -> None:
        """Kill these processes; those that are gone already are no error."""
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
