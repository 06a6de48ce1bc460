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

    from runyard_actors.shim.spec import ShimSpec
    from runyard_cluster.process._cgroup import ControlGroup
elif sys.platform != "win32":
    # The numbers alone: `signal` wraps them in enums, at a quarter of what a shim costs to start.
    import _signal as signal

if sys.platform != "win32":
    import resource

    from runyard_actors.shim import _exec, _hold, _linux, _signals

    #: The kernel counts the largest resident set in bytes on macOS, in KiB on Linux.
    _MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024

    #: What a module leaves behind may end itself this long before it is killed.
    STRAGGLER_SECONDS = 1.0
    FIRST_LOOK_SECONDS, LAST_LOOK_SECONDS = 0.01, 1.0

    #: Signals that only wake the shim. A request to end the run is a file: whoever kills its supervisor, a system
    #: that shuts down for one, also signals the module itself.
    _WAKING = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def name_process(name: str) -> None:
        """Have lists of processes show this one under a name, where the system lets it have one."""
        if sys.platform == "linux":
            _linux.name_process(name)

    def leave_parent() -> None:
        """Become a child of nobody, whom no end of the launching process reaches, and as killable as anyone."""
        if os.fork():
            os._exit(0)
        if sys.platform == "linux":
            _linux.be_as_killable_as_anyone()

    #: Who ends the tree of a shim that was killed; 0 where nobody does.
    _guardian = 0

    def be_guarded(guardian: int) -> None:
        """Rely on this parent to end what this process leaves behind when it is killed."""
        global _guardian
        _guardian = guardian

    def _is_guarded() -> bool:
        return _guardian > 0 and os.getppid() == _guardian

    #: What the system counted when it was last asked, and when that was; so old may be what a run begins with.
    _kills = (0, float("-inf"))
    KILLS_SECONDS = 1.0

    def _kills_lately() -> int:
        """Return how many processes the kernel killed for want of memory, by now or a moment ago."""
        return _kills[0] if time.monotonic() - _kills[1] < KILLS_SECONDS else _kills_until_now()

    def _kills_until_now() -> int:
        global _kills
        _kills = (process.out_of_memory_kills(), time.monotonic())
        return _kills[0]

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
            #: Whether the last wait was cut short by somebody who has a request.
            self.is_nudged = False
            self._group: ControlGroup | None = None
            self._largest_bytes = 0
            self._has_ended = False
            self._has_children = False
            self._kills_before = _kills_lately()
            self._wake = _signals.Wake(_WAKING)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.umask(0o022)
            self._is_subreaper = sys.platform == "linux" and _linux.become_subreaper()
            self.enforcement = {
                "gpu_memory": "none",
                "tree": "subreaper" if self._is_subreaper else "cookie",
            }

        def spawn(self, spec: ShimSpec) -> str:
            """Start the module in a session of its own; return why that failed, in words, or nothing."""
            missing = _start_error.missing_script(spec)
            if missing:
                return missing
            failure = self._start(spec, _hold.own_group(spec))
            if failure and failure[0] == "group":
                self._give_up()
                failure = self._start(spec, None)
            if not failure:
                return ""
            self._give_up()
            stage, number = failure
            return _start_error.words(stage, number, spec)

        @property
        def group(self) -> str:
            """The folder of the tree's control group, if it has one."""
            return self._group.path if self._group else ""

        def wait(self, seconds: float) -> bool:
            """Wait for the main process's end, or a nudge; return whether the main process has ended.

            The ends of other processes are taken note of and cut nothing short: there may be thousands.
            """
            until = time.monotonic() + seconds
            self.is_nudged = False
            self._reap()
            while not self._has_ended and not self._is_woken(until - time.monotonic()):
                self._reap()
            if not self._has_ended:
                self._reap()
            return self._has_ended

        def size(self) -> tuple[int, int]:
            """Return the resident bytes of the whole tree, and its number of processes."""
            return process.tree_size([os.getpid()])

        def confirmed_memory(self) -> int:
            """Return the bytes that the tree alone holds; dearer to find out."""
            return process.tree_anonymous_bytes(self._living())

        def peak(self, sampled: int) -> int:
            """Return the peak of the tree: what was sampled, or the largest process if that was more.

            The system's figure for a process begins with the copy of this one that it was, so a small one says
            nothing.
            """
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT
            if not sampled or self._largest_bytes > own * 1.1:
                sampled = max(sampled, self._largest_bytes)
            counted = self._group.peak_bytes() if self._group else None
            # What processes share is sampled once for each of them, but counted once.
            return sampled if counted is None else min(sampled, counted) or counted

        def has_passed_its_memory(self) -> bool:
            """Whether the kernel, which holds the limit, killed for it."""
            return self._group is not None and self._group.has_passed_its_limit()

        def out_of_memory_kills(self) -> int:
            """Return how many processes the kernel killed for want of memory since, of this tree if it tells that."""
            kills = self._group.kills() if self._group else None
            return _kills_until_now() - self._kills_before if kills is None else kills

        def suspend(self) -> None:
            """Hold the whole tree still; to be repeated, as a process may be born while the others are stopped."""
            if self._group and self._group.freeze(True):
                return
            held: set[int] = set()
            while living := set(self._living()) - held:
                _signals.hold(living)
                held |= living

        def resume(self) -> None:
            """Let the whole tree go on."""
            if self._group:
                self._group.freeze(False)
            _signals.let_go(self._living())

        def terminate(self) -> None:
            """Ask the whole tree to end; what is stopped is woken, or it could not hear."""
            _signals.terminate(self._living())

        def kill(self) -> None:
            """End the whole tree at once."""
            if self._group:
                self._group.kill()
            _signals.kill(self._living())

        def end(self, kill_at: float | None) -> int:
            """End all that the module left behind, until nothing of it lives; return how many there were.

            A tree that was told to end before has until `kill_at`; one that hears of it now, a moment.
            """
            if self._has_children:
                self._reap()
            if not self._is_anything_left():
                return 0
            living = self._living()
            stragglers = len(living)
            if kill_at is None:
                _signals.terminate(living)
                kill_at = time.monotonic() + STRAGGLER_SECONDS
            look = FIRST_LOOK_SECONDS
            while self._is_anything_left():
                now = time.monotonic()
                if now >= kill_at:
                    self.kill()
                self._is_woken(look if now >= kill_at else min(look, kill_at - now))
                look = min(look * 1.5, LAST_LOOK_SECONDS)
                self._reap()
            return stragglers

        def close(self) -> None:
            """Have done with a tree that has ended: its control group, and what it counted, goes with it."""
            self._wake.close()
            if self._group and self._group.remove():
                self._group = None

        def _give_up(self) -> None:
            self.end(time.monotonic())
            if self._group and self._group.remove():
                self._group = None

        def _start(self, spec: ShimSpec, group: ControlGroup | None) -> tuple[str, int] | None:
            self._group = group
            self.enforcement |= _hold.limit(group, spec)
            self._has_children = True
            if group is None and spec.preload is None and _is_guarded():
                self.pid, failure = _exec.spawn(spec)
            else:
                self.pid, failure = _exec.start(spec, group=group, is_nice=self.enforcement["cpu"] == "nice")
            return failure

        def _is_anything_left(self) -> bool:
            """Every orphan of the tree becomes a child of a subreaper, so without children there is nothing left.

            That is exact, as no list is: a process can be born while its parent's children are being listed.
            """
            if self._group and self._group.is_populated():
                return True
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
            if not select.select([self._wake.read_end], [], [], max(0.0, seconds))[0]:
                return True
            self.is_nudged = any(number != signal.SIGCHLD for number in os.read(self._wake.read_end, 4096))
            return self.is_nudged

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
