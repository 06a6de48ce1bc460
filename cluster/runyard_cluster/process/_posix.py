"""Processes on Linux and macOS."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import subprocess
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
elif sys.platform != "win32":
    # The numbers alone: `signal` wraps them in enums, at a quarter of what a shim costs to start.
    import _signal as signal

if sys.platform != "win32":
    import fcntl

    if sys.platform == "linux":
        from runyard_cluster.process import _proc as table
    else:
        from runyard_cluster.process import _ps as table

    #: Looks that must find nothing before a sweep is over, and the time between two.
    SWEEP_LOOKS, SWEEP_LOOK_SECONDS = 3, 0.03

    class FileLock:
        """An exclusive lock on a file, held until released or until this process ends, however it ends."""

        def __init__(self, descriptor: int) -> None:
            #: The file, open for reading and writing; closed with the lock's release.
            self.descriptor = descriptor

        @classmethod
        def acquire(cls, path: Path | str) -> FileLock | None:
            """Take the lock, or return None when another process holds it. Makes the file if needed."""
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            except OSError:
                os.close(descriptor)
                raise
            return cls(descriptor)

        def release(self) -> None:
            """Give the lock back."""
            os.close(self.descriptor)

    def is_locked(path: Path | str) -> bool:
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

    def wait_unlocked(path: Path | str) -> None:
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
        return table.boot_id()

    def process_start_time(pid: int) -> float | None:
        """Return when the process started, in a unit that only compares; None when there is none."""
        return table.start_time(pid)

    def is_same_process(pid: int, start: float) -> bool:
        """Whether `pid` is still the process that started at `start`, and not a later one of that number."""
        return process_start_time(pid) == start

    def stop_process(pid: int, start: float, *, kill: bool = False) -> bool:
        """Send TERM, or KILL, to a process unless it is another one by now; return whether it was sent.

        One that is held still goes on, or it would not hear of the TERM.
        """
        numbers = [signal.SIGKILL] if kill else [signal.SIGTERM, signal.SIGCONT]
        try:
            if sys.platform == "linux":
                return _signal_through_descriptor(pid, start, numbers)
            if not is_same_process(pid, start):
                return False
            for number in numbers:
                os.kill(pid, number)
        except OSError:
            return False
        return True

    if sys.platform == "linux":

        def _signal_through_descriptor(pid: int, start: float, numbers: Iterable[int]) -> bool:
            """The descriptor names the process itself, so no reuse of its number can come in between."""
            descriptor = os.pidfd_open(pid)
            try:
                if not is_same_process(pid, start):
                    return False
                for number in numbers:
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)
            return True

    def exit_descriptor(pid: int) -> int | None:
        """Return a descriptor that can be read from once the process has ended; None where there is no such thing."""
        if sys.platform != "linux":
            return None
        try:
            return os.pidfd_open(pid)
        except OSError:
            return None

    def spawn_detached(command: Sequence[str], *, env: Mapping[str, str], cwd: str, stdout: Path) -> int:
        """Start a process in a session of its own, output appended to `stdout`; return its pid."""
        import subprocess

        with stdout.open("ab") as output:
            started = popen_detached(
                command,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output.fileno(),
                stderr=subprocess.STDOUT,
            )
        # Not ours to wait for: without this, Python warns that a child was forgotten.
        started.returncode = 0
        return started.pid

    def popen_detached(
        command: Sequence[str], *, env: Mapping[str, str], cwd: str, stdin: int, stdout: int, stderr: int
    ) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own."""
        import subprocess

        return subprocess.Popen(
            list(command),
            env=dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )

    def leave(started: subprocess.Popen[bytes]) -> None:
        """Have done with a detached process that has forked away: its first half has ended, or is about to."""
        started.wait()

    def tree(roots: Iterable[int]) -> list[int]:
        """Return the living descendants of `roots`, without the roots."""
        return table.descendants(roots)

    def process_table() -> list[tuple[int, int, float, float, int]]:
        """Return of every process: pid, parent, its CPU seconds, those of its ended children, resident bytes."""
        return table.process_table()

    def held_still(pids: Iterable[int]) -> list[int]:
        """Return those of the processes that a signal or a debugger holds still."""
        return table.held_still(pids)

    def tree_size(roots: Iterable[int]) -> tuple[int, int]:
        """Return the resident bytes and the number of all descendants of `roots`; the cheapest look there is."""
        return table.size_below(roots)

    def tree_anonymous_bytes(pids: Iterable[int]) -> int:
        """Return the bytes that these processes hold for themselves, pages they share counted once."""
        return table.anonymous_bytes(pids)

    def find_by_cookie(name: str, value: str) -> list[int]:
        """Return the processes that were started with this variable in their environment."""
        return [pid for pid in table.with_variable(name, value) if pid != os.getpid()]

    def sweep(name: str, value: str, *, limit_seconds: float, group: str = "") -> list[int]:
        """Kill every process with this variable, until none is left; return those that would not die in time.

        A process that is just becoming another program shows no environment, so one look without a find is not
        enough. `group` is a control group that holds nothing else: it ends first, with those that dropped the
        variable.
        """
        import time

        if group:
            _end_group(group, time.monotonic() + limit_seconds)
        end = time.monotonic() + limit_seconds
        looks_without = 0
        while looks_without < SWEEP_LOOKS:
            left = find_by_cookie(name, value)
            kill_pids(left)
            looks_without = 0 if left else looks_without + 1
            if left and time.monotonic() >= end:
                return left
            # Nothing tells of the end of a process that is not a child: look again.
            time.sleep(SWEEP_LOOK_SECONDS)
        return []

    def _end_group(path: str, until: float) -> None:
        import time

        from runyard_cluster.process._cgroup import ControlGroup

        group = ControlGroup(path)
        group.kill()
        while group.is_populated() and time.monotonic() < until:
            time.sleep(SWEEP_LOOK_SECONDS)
        group.remove()

    def kill_pids(pids: Iterable[int]) -> None:
        """Kill these processes; those that are gone already are no error."""
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue

    def out_of_memory_kills() -> int:
        """Return how often this system killed a process for want of memory since boot, where it counts that."""
        return table.out_of_memory_kills()

    def task_count() -> int:
        """Return how many processes and threads this whole system has, where that is cheap to know, else 0."""
        return table.task_count()

    def punch_hole(descriptor: int, start: int, end: int) -> bool:
        """Give the file's disk space between the offsets back, offsets unchanged; False where impossible."""
        return table.punch_hole(descriptor, start, end)
