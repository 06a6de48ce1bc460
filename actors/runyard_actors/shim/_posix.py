"""Owning a process tree on Linux and macOS."""

from __future__ import annotations

import os
import select
import sys
import time

from runyard_actors import attempt_file
from runyard_actors.shim import _start_error
from runyard_cluster import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable

    from runyard_actors.shim.spec import ShimSpec
elif sys.platform != "win32":
    # The numbers alone: `signal` wraps them in enums, at a quarter of what a shim costs to start.
    import _signal as signal

if sys.platform != "win32":
    import resource

    from runyard_actors.shim import _exec, _linux

    #: The kernel counts the largest resident set in bytes on macOS, in KiB on Linux.
    _MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024

    #: What a module leaves behind may end itself this long before it is killed.
    STRAGGLER_SECONDS = 1.0
    FIRST_LOOK_SECONDS, LAST_LOOK_SECONDS = 0.01, 1.0

    #: Signals that only wake the shim. A request to end the run is a file: whoever kills its supervisor, a system
    #: that shuts down for one, also signals the module itself.
    _WAKING = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def leave_parent() -> None:
        """Become a child of nobody, so that no end of the launching process reaches this one."""
        if os.fork():
            os._exit(0)

    def close_answer() -> None:
        """Close the line to the launching process, which waits for its end."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 1)
        os.close(nowhere)

    class PosixTree:
        """The module's process, and every process that comes of it.

        Making one undoes what a Ray worker passes on, and has orphans of the tree come to this process.
        """

        def __init__(self) -> None:
            self.pid = 0
            self.cookie = ""
            self.exit_code: int | None = None
            self.signal: int | None = None
            self.cpu_seconds = 0.0
            self._largest_bytes = 0
            self._has_ended = False
            self._has_children = False
            self._wake = _wake_on(_WAKING)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.umask(0o022)
            self._is_subreaper = sys.platform == "linux" and _linux.become_subreaper()
            if sys.platform == "linux":
                _linux.be_as_killable_as_anyone()
            self.enforcement = {
                "memory": "poll",
                "cpu": "environment",
                "gpu_memory": "none",
                "tree": "subreaper" if self._is_subreaper else "cookie",
            }

        def spawn(self, spec: ShimSpec) -> str:
            """Start the module in a session of its own; return why that failed, in words, or nothing."""
            missing = _start_error.missing_script(spec)
            if missing:
                return missing
            self.pid, failure = _exec.start(spec)
            if not failure:
                return ""
            self.end(time.monotonic())
            stage, number = failure
            return _start_error.words(stage, number, spec)

        def wait(self, seconds: float) -> bool:
            """Wait for the main process's end, or a nudge; return whether the main process has ended.

            The ends of other processes are taken note of and cut nothing short: there may be thousands.
            """
            until = time.monotonic() + seconds
            self._reap()
            while not self._has_ended and not self._is_woken(until - time.monotonic()):
                self._reap()
            self._reap()
            return self._has_ended

        def memory(self) -> int:
            """Return the resident bytes of the whole tree."""
            return process.tree_resident_bytes([os.getpid()])

        def confirmed_memory(self) -> int:
            """Return the bytes that the tree alone holds; dearer to find out."""
            return process.tree_anonymous_bytes(self._living())

        def peak(self, sampled: int) -> int:
            """Return the peak of the tree: what was sampled, or the largest process if that was more.

            The system's figure for a process begins with the copy of this one that it was, so a small one says
            nothing.
            """
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT
            if sampled and self._largest_bytes <= own * 1.1:
                return sampled
            return max(sampled, self._largest_bytes)

        def terminate(self) -> None:
            """Ask the whole tree to end; what is stopped is woken, or it could not hear."""
            _terminate(self._living())

        def kill(self) -> None:
            """End the whole tree at once."""
            _kill(self._living())

        def end(self, kill_at: float | None) -> int:
            """End all that the module left behind, until nothing of it lives; return how many there were.

            A tree that was told to end before has until `kill_at`; one that hears of it now, a moment.
            """
            self._reap()
            if not self._is_anything_left():
                return 0
            living = self._living()
            stragglers = len(living)
            if kill_at is None:
                _terminate(living)
                kill_at = time.monotonic() + STRAGGLER_SECONDS
            look = FIRST_LOOK_SECONDS
            while self._is_anything_left():
                now = time.monotonic()
                if now >= kill_at:
                    _kill(self._living())
                self._is_woken(look if now >= kill_at else min(look, kill_at - now))
                look = min(look * 1.5, LAST_LOOK_SECONDS)
                self._reap()
            return stragglers

        def _is_anything_left(self) -> bool:
            """Every orphan of the tree becomes a child of a subreaper, so without children there is nothing left.

            That is exact, as no list is: a process can be born while its parent's children are being listed.
            """
            if self._has_children or self._is_subreaper or not self.cookie:
                return self._has_children
            return bool(process.find_by_cookie(attempt_file.COOKIE, self.cookie))

        def _living(self) -> list[int]:
            """Without a subreaper, orphans are nobody's children, and only their cookie tells whose they were."""
            living = process.tree([os.getpid()])
            if not self._is_subreaper and self.cookie:
                living += process.find_by_cookie(attempt_file.COOKIE, self.cookie)
            return living

        def _is_woken(self, seconds: float) -> bool:
            """Wait for a signal; return True when there was none in time, or one that is not about children."""
            if not select.select([self._wake], [], [], max(0.0, seconds))[0]:
                return True
            return any(number != signal.SIGCHLD for number in os.read(self._wake, 4096))

        def _reap(self) -> None:
            self._has_children = True
            while True:
                try:
                    pid, status, used = os.wait4(-1, os.WNOHANG)
                except ChildProcessError:
                    pid, self._has_children = 0, False
                if pid == 0:
                    return
                self.cpu_seconds += used.ru_utime + used.ru_stime
                self._largest_bytes = max(self._largest_bytes, used.ru_maxrss * _MAXRSS_UNIT)
                if pid == self.pid:
                    code = os.waitstatus_to_exitcode(status)
                    self.exit_code, self.signal = (code, None) if code >= 0 else (None, -code)
                    self._has_ended = True

    def _wake_on(signals: tuple[int, ...]) -> int:
        """Return a descriptor from which the numbers of these signals can be read when they come."""
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        os.set_blocking(read_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in signals:
            signal.signal(number, lambda *_: None)
        return read_end

    def _terminate(pids: Iterable[int]) -> None:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGTERM)
                os.kill(pid, signal.SIGCONT)
            except OSError:
                continue

    def _kill(pids: Iterable[int]) -> None:
        """Kill by groups first: what forks faster than it can be listed does not get out of its group."""
        pids = list(pids)
        for group in {_group(pid) for pid in pids} - {0, 1, os.getpgrp()}:
            try:
                os.killpg(group, signal.SIGKILL)
            except OSError:
                continue
        process.kill_pids(pids)

    def _group(pid: int) -> int:
        try:
            return os.getpgid(pid)
        except OSError:
            return 0
