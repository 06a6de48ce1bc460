"""Owning a process tree on Linux and macOS."""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
import time

from runyard_actors.run_folder import RunFolder
from runyard_actors.shim.spec import ShimSpec
from runyard_cluster import process

if sys.platform != "win32":
    import resource

    from runyard_actors.shim import _linux

    #: The kernel counts the largest resident set in bytes on macOS, in KiB on Linux.
    _MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024

    #: What a module leaves behind may end itself this long before it is killed.
    STRAGGLER_SECONDS = 1.0
    LOOK_SECONDS = 0.02

    def leave_parent() -> None:
        """Become a child of nobody, so that no end of the launching process reaches this one."""
        if os.fork():
            os._exit(0)

    def close_answer() -> None:
        """Close the line to the launching process, which waits for its end."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 1)
        os.close(nowhere)

    def prepare() -> dict[str, str]:
        """Undo what a Ray worker passes on, and become the one that orphans of the tree come to."""
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.umask(0o022)
        is_subreaper = sys.platform == "linux" and _linux.become_subreaper()
        if sys.platform == "linux":
            _linux.be_as_killable_as_anyone()
        return {
            "memory": "poll",
            "cpu": "environment",
            "gpu_memory": "none",
            "tree": "subreaper" if is_subreaper else "cookie",
        }

    def spawn(spec: ShimSpec, folder: RunFolder) -> tuple[PosixChild | None, str]:
        """Start the module in a session of its own; return it, or None and why not, in words."""
        if missing := _missing_script(spec):
            return None, missing
        wake = _wake_on((signal.SIGCHLD, signal.SIGTERM))
        read_end, write_end = os.pipe()
        log = os.open(folder.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        shim = os.getpid()
        pid = os.fork()
        if pid == 0:
            _become(spec, log, write_end, shim)
        os.close(write_end)
        os.close(log)
        with os.fdopen(read_end, "rb") as answer:
            failure = answer.read().decode()
        if failure:
            os.waitpid(pid, 0)
            stage, number = failure.split()
            return None, _words(stage, int(number), spec)
        return PosixChild(pid, wake), ""

    class PosixChild:
        """The module's process, and every process that came of it."""

        def __init__(self, pid: int, wake: int) -> None:
            self.pid = pid
            self.exit_code: int | None = None
            self.signal: int | None = None
            self.cpu_seconds = 0.0
            self._largest_bytes = 0
            self._wake = wake
            self._has_ended = False

        def wait(self, seconds: float) -> bool:
            """Wait for the main process's end or a nudge; return whether the main process has ended."""
            self._reap()
            if not self._has_ended and select.select([self._wake], [], [], seconds)[0]:
                os.read(self._wake, 4096)
                self._reap()
            return self._has_ended

        def memory(self) -> int:
            """Return the resident bytes of the whole tree."""
            return process.tree_usage(self._tree())[1]

        def peak(self, sampled: int) -> int:
            """Return the peak of the tree: what was sampled, or the largest process if that was more.

            The system's figure for a process begins with the copy of this one that it was, so a small one says
            nothing.
            """
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT
            if sampled and self._largest_bytes <= own * 1.1:
                return sampled
            return max(sampled, self._largest_bytes)

        def confirmed_memory(self) -> int:
            """Return the tree's bytes with shared pages counted once."""
            return process.tree_proportional_bytes(self._tree())

        def terminate_tree(self) -> None:
            """Ask the whole tree to end; what is stopped is woken, or it could not hear."""
            _send(self._tree(), signal.SIGTERM, signal.SIGCONT)

        def kill_tree(self) -> None:
            """End the whole tree at once."""
            _send(self._tree(), signal.SIGKILL)

        def end_tree(self, nonce: str) -> int:
            """End all that the module left behind, until nothing of it lives; return how many there were."""
            left = self._left(nonce)
            count = len(left)
            _send(left, signal.SIGTERM, signal.SIGCONT)
            kill_at = time.monotonic() + STRAGGLER_SECONDS
            while left:
                if time.monotonic() >= kill_at:
                    _send(left, signal.SIGKILL)
                select.select([self._wake], [], [], LOOK_SECONDS)
                self._reap()
                left = self._left(nonce)
            return count

        def _tree(self) -> list[int]:
            return process.tree([os.getpid()])

        def _left(self, nonce: str) -> list[int]:
            """Without a subreaper, orphans are nobody's children, and only their cookie tells whose they were."""
            tree = self._tree()
            return (
                tree if sys.platform == "linux" else [*tree, *process.find_by_cookie("RUNYARD_NONCE", nonce)]
            )

        def _reap(self) -> None:
            while True:
                try:
                    pid, status, used = os.wait4(-1, os.WNOHANG)
                except ChildProcessError:
                    return
                if pid == 0:
                    return
                self.cpu_seconds += used.ru_utime + used.ru_stime
                self._largest_bytes = max(self._largest_bytes, used.ru_maxrss * _MAXRSS_UNIT)
                if pid == self.pid:
                    code = os.waitstatus_to_exitcode(status)
                    self.exit_code, self.signal = (code, None) if code >= 0 else (None, -code)
                    self._has_ended = True

    def _wake_on(signals: tuple[signal.Signals, ...]) -> int:
        """Return a descriptor that becomes readable when one of the signals comes."""
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        os.set_blocking(read_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in signals:
            signal.signal(number, lambda *_: None)
        return read_end

    def _become(spec: ShimSpec, log: int, failed: int, shim: int) -> None:
        """In the child: become the module, or say which step failed."""
        stage = "start"
        try:
            os.setsid()
            if sys.platform == "linux" and not _linux.die_with(shim):
                os._exit(127)
            signal.set_wakeup_fd(-1)
            for number in signal.valid_signals():
                if number not in (signal.SIGKILL, signal.SIGSTOP) and signal.getsignal(number) is not None:
                    signal.signal(number, signal.SIG_DFL)
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            os.dup2(log, 1)
            os.dup2(log, 2)
            stage = "cwd"
            os.chdir(spec.cwd)
            stage = "exec"
            os.execvpe(spec.command[0], spec.command, dict(spec.env))
        except OSError as error:
            os.write(failed, f"{stage} {error.errno}".encode())
        finally:
            os._exit(127)

    def _words(stage: str, number: int, spec: ShimSpec) -> str:
        program, cwd = spec.command[0], spec.cwd
        if stage == "cwd":
            return {
                errno.ENOENT: f"cwd not found: {cwd}",
                errno.ENOTDIR: f"cwd is not a folder: {cwd}",
                errno.EACCES: f"cwd cannot be entered: {cwd} (permission denied)",
                errno.ELOOP: f"cwd is a circle of links: {cwd}",
            }.get(number, f"cwd cannot be used: {cwd} ({os.strerror(number)})")
        if stage == "exec":
            return _exec_words(program, number, cwd)
        return f"the process could not be started: {os.strerror(number)}"

    def _exec_words(program: str, number: int, cwd: str) -> str:
        path = os.path.join(cwd, program)
        if number == errno.ENOENT and os.sep in program and os.path.exists(path):
            return f"not startable: {program} (the program named in its first line is missing)"
        if number in (errno.ENOENT, errno.ENOTDIR):
            return f"program not found: {program}"
        if number == errno.EACCES:
            kind = "it is a folder" if os.path.isdir(path) else "permission denied"
            return f"not executable: {program} ({kind})"
        if number == errno.ENOEXEC:
            return f"not executable: {program} (no program of this system, and no '#!' in its first line)"
        if number == errno.E2BIG:
            return "arguments and environment are longer than this system takes"
        return f"{program} could not be started: {os.strerror(number)}"

    def _missing_script(spec: ShimSpec) -> str:
        """The interpreter would say so too, but with an exit code that looks like the module's own."""
        name = os.path.basename(spec.command[0])
        if not name.startswith("python") or len(spec.command) < 2 or spec.command[1].startswith("-"):
            return ""
        script = os.path.join(spec.cwd, spec.command[1])
        is_there = os.path.exists(script) or not os.path.isdir(spec.cwd)
        return "" if is_there else f"script not found: {spec.command[1]}"

    def _send(pids: list[int], *numbers: signal.Signals) -> None:
        for pid in pids:
            for number in numbers:
                try:
                    os.kill(pid, number)
                except OSError:
                    break
