"""How the module's process comes to be.

Where whoever forked this shim ends what an orphan of it leaves, the module is spawned: the system makes a process that
borrows the shim's memory until its program takes over, at a third of what a copy costs. Elsewhere a copy of the shim
becomes the module: only code of ours in the new process can enter a control group before anything else happens, have
the process die with its shim, or become a program without `exec`.
"""

from __future__ import annotations

import errno
import os
import sys

from runyard_actors import attempt_file
from runyard_actors.shim.take_over import TakeOver, prepared

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator
    from typing import NoReturn

    from runyard_actors.shim.spec import ShimSpec
    from runyard_cluster.process._cgroup import ControlGroup
elif sys.platform != "win32":
    import _signal as signal

if sys.platform != "win32":
    from runyard_actors.shim import _linux

    #: How much a run without a control group yields to what people use; it gets a third of what they get of a busy CPU.
    NICENESS = 5

    #: A failure, told at once, is never longer.
    _FAILURE_BYTES = 64

    #: Where programs are looked for when the environment has no PATH.
    _DEFAULT_PATH = "/bin:/usr/bin"

    Failure = tuple[str, int]

    def spawn(spec: ShimSpec) -> tuple[int, Failure | None]:
        """Have the system start the module, nice; return its pid, and where that failed: stage and error number.

        The shim visits the module's folder for it: a new process begins where its parent is.
        """
        stage = "log"
        try:
            log = os.open(attempt_file.LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            home = os.open(os.curdir, os.O_RDONLY | os.O_DIRECTORY)
            try:
                stage = "cwd"
                os.chdir(spec.cwd)
                stage = "exec"
                pid = _spawned(spec, log)
            finally:
                os.fchdir(home)
                os.close(home)
                os.close(log)
        except OSError as error:
            return 0, (stage, error.errno or errno.EAGAIN)
        except ValueError:
            return 0, (stage, errno.EINVAL)
        _linux.be_nice(pid, NICENESS)
        return pid, None

    def _spawned(spec: ShimSpec, log: int) -> int:
        """As `os.posix_spawnp`, which would look the program up where the shim's own PATH says."""
        return _with_program(
            spec,
            lambda program: os.posix_spawn(
                program,
                spec.command,
                spec.env,
                file_actions=(
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ),
                setsid=True,
                setsigdef=_ignored(),
            ),
        )

    def start(spec: ShimSpec, *, group: ControlGroup | None, is_nice: bool) -> tuple[int, Failure | None]:
        """Have a copy of this process become the module; return its pid, and where that failed."""
        stage = "exec"
        try:
            program, ignored = prepared(spec), _ignored()
            stage = "log"
            log = os.open(attempt_file.LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            stage = "fork"
            read_end, write_end = os.pipe()
            shim = os.getpid()
            pid = os.fork()
        except OSError as error:
            return 0, (stage, error.errno or errno.EAGAIN)
        except ValueError:
            return 0, (stage, errno.EINVAL)
        if pid == 0:
            _become(spec, program, log, write_end, shim, group, ignored)
        os.close(write_end)
        os.close(log)
        # The line closes by itself when the module's program takes over.
        failure = os.read(read_end, _FAILURE_BYTES).decode()
        os.close(read_end)
        if not failure:
            if is_nice:
                _linux.be_nice(pid, NICENESS)
            return pid, None
        stage, number = failure.split()
        return pid, (stage, int(number))

    def _become(
        spec: ShimSpec,
        program: object,
        log: int,
        failed: int,
        shim: int,
        group: ControlGroup | None,
        ignored: list[int],
    ) -> NoReturn:
        """In the child: become the module, or say which step failed."""
        stage = "group"
        try:
            if group:
                group.enter()
            stage = "start"
            os.setsid()
            if sys.platform == "linux" and not _linux.die_with(shim):
                os._exit(127)
            _reset_signals(ignored)
            _connect(log)
            stage = "cwd"
            os.chdir(spec.cwd)
            stage = "exec"
            if spec.preload is not None:
                os.close(failed)
                raise TakeOver(program)
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

    _found_ignored: list[int] = []

    def _ignored() -> list[int]:
        """Signals that this process ignores, Python and Ray some, and a module would find ignored, too.

        Python ignores one at least, and a shim that has begun to own runs changes none of them.
        """
        if not _found_ignored:
            _found_ignored.extend(n for n in signal.valid_signals() if signal.getsignal(n) == signal.SIG_IGN)
        return _found_ignored

    def _reset_signals(ignored: list[int]) -> None:
        """Have the module find each signal as if a shell had started it."""
        signal.set_wakeup_fd(-1)
        for number in ignored:
            signal.signal(number, signal.SIG_DFL)

    def _connect(log: int) -> None:
        """Nothing to read from, and both streams straight into the log: no pipe that somebody would have to read."""
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)

    def _execute(spec: ShimSpec) -> None:
        """As `os.execvpe`, which would import a module for this."""
        _with_program(spec, lambda program: os.execve(program, spec.command, spec.env))  # noqa: S606 - how a module starts

    def _with_program(spec: ShimSpec, begin: Callable[[str], int]) -> int:
        """Begin the first program of that name that there is; raises what kept the best candidate from it."""
        denied: OSError | None = None
        for program in _candidates(spec):
            try:
                return begin(program)
            except (FileNotFoundError, NotADirectoryError) as error:
                denied = denied or error
            except PermissionError as error:
                denied = error
        raise denied or FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def _candidates(spec: ShimSpec) -> Iterator[str]:
        """Yield where the program may be: a path is taken as it is, a name looked up as a shell would."""
        program = spec.command[0]
        if os.sep in program or "\0" in program:
            yield program
            return
        for folder in spec.env.get("PATH", _DEFAULT_PATH).split(os.pathsep):
            candidate = os.path.join(folder or os.curdir, program)
            if os.path.exists(candidate):
                yield candidate
