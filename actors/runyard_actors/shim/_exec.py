"""From fork to exec: the few lines in which a copy of the shim becomes the module."""

from __future__ import annotations

import errno
import os
import sys

from runyard_actors import attempt_file
from runyard_actors.shim.take_over import TakeOver

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn

    from runyard_actors.shim.spec import ShimSpec
    from runyard_cluster.process._cgroup import ControlGroup
elif sys.platform != "win32":
    import _signal as signal

if sys.platform != "win32":
    from runyard_actors.shim import _linux

    #: How much a run without a control group yields to what people use; it gets a third of what they get of a busy CPU.
    NICENESS = 5

    #: Where programs are looked for when the environment has no PATH.
    _DEFAULT_PATH = "/bin:/usr/bin"

    def start(
        spec: ShimSpec, *, group: ControlGroup | None, is_nice: bool
    ) -> tuple[int, tuple[str, int] | None]:
        """Start the module; return its pid, and where that failed: the stage and the system's error number."""
        stage = "log"
        try:
            log = os.open(attempt_file.LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            stage = "fork"
            read_end, write_end = os.pipe()
            shim = os.getpid()
            pid = os.fork()
        except OSError as error:
            return 0, (stage, error.errno or errno.EAGAIN)
        if pid == 0:
            _become(spec, log, write_end, shim, group, is_nice)
        os.close(write_end)
        os.close(log)
        # The line closes by itself when the module's program takes over.
        with os.fdopen(read_end, "rb") as answers:
            failure = answers.read().decode()
        if not failure:
            return pid, None
        stage, number = failure.split()
        return pid, (stage, int(number))

    def _become(
        spec: ShimSpec, log: int, failed: int, shim: int, group: ControlGroup | None, is_nice: bool
    ) -> NoReturn:
        """In the child: become the module, or say which step failed."""
        stage = "group"
        try:
            if group:
                group.enter()
            stage = "start"
            os.setsid()
            if is_nice:
                os.nice(NICENESS)
                _linux.be_nice_as_a_session(NICENESS)
            if sys.platform == "linux" and not _linux.die_with(shim):
                os._exit(127)
            _reset_signals()
            _connect(log)
            stage = "cwd"
            os.chdir(spec.cwd)
            stage = "exec"
            if spec.preload is not None:
                os.close(failed)
                raise TakeOver(spec)
            _execute(spec)
        except OSError as error:
            os.write(failed, f"{stage} {error.errno}".encode())
        except ValueError:
            os.write(failed, f"{stage} {errno.EINVAL}".encode())
        except TakeOver:
            raise
        except BaseException:
            os._exit(127)
        os._exit(127)

    def _reset_signals() -> None:
        """Have the module find each signal as if a shell had started it; Python and Ray ignore some."""
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals():
            if signal.getsignal(number) == signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)

    def _connect(log: int) -> None:
        """Nothing to read from, and both streams straight into the log: no pipe that somebody would have to read."""
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)

    def _execute(spec: ShimSpec) -> None:
        """As `os.execvpe`, which would import a module for this; a path is taken as it is, a name looked up."""
        program = spec.command[0]
        if os.sep in program:
            os.execve(program, spec.command, spec.env)  # noqa: S606 - this is how a module is started
        denied: OSError | None = None
        for folder in spec.env.get("PATH", _DEFAULT_PATH).split(os.pathsep):
            try:
                os.execve(os.path.join(folder or os.curdir, program), spec.command, spec.env)  # noqa: S606
            except (FileNotFoundError, NotADirectoryError):
                continue
            except PermissionError as error:
                denied = error
        raise denied or FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
