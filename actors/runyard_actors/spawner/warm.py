"""A warm interpreter: the module's own Python with its imports done, of which each run gets a copy.

The copy runs the script as `python script.py` would, in a process, session, environment, folder and log of its own.
What differs, since it cannot be undone in a process that has started, is listed in docs/CONCURRENCY.md.

Most of what a copy costs is the pages that it has to make its own, and it takes no more than a look at an object to
write into its page, where Python counts who looks. So a copy goes over nothing that the interpreter has: what there is
to go over is gathered before.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import importlib.machinery
import os
import sys
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NoReturn

from runyard_actors.shim import take_over
from runyard_actors.shim.spec import ShimSpec
from runyard_actors.shim.take_over import TakeOver
from runyard_actors.spawner.cookie import Cookie

#: Stands for the end that Python makes itself when nobody catches an interrupt: the signal, not a code.
_INTERRUPTED = -1
_OURS = ("runyard_actors", "runyard_cluster")
#: A shim closes whatever it finds open when it begins, so what it opens itself has the lowest numbers.
SHIMS_DESCRIPTORS = 64

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
elif sys.platform != "win32":
    # The numbers alone: `signal` wraps each answer in an enum.
    import _signal as signal

if sys.platform != "win32":
    from runyard_actors.spawner.main import serve

    def main(roots: Sequence[str], preload: Sequence[str]) -> Callable[[], NoReturn]:
        """Import what the module wants, then serve. Returns, in each copy that is to run, the program."""
        cookie = Cookie()
        for name in preload:
            importlib.import_module(name)
        # Python makes a hundred types for syntax trees when it first compiles anything.
        compile("", "", "exec")
        take_over.prepare_with(partial(Program, roots=roots))
        # Held on to, so that a copy that forgets their names does not take them apart.
        ours = {name: module for name, module in sys.modules.items() if name.split(".")[0] in _OURS}
        try:
            serve()
        except TakeOver as taken:
            # The same goes for all that this one holds.
            way_here = taken
        else:
            os._exit(0)
        return partial(_run, way_here, cookie, ours)

    class Program:
        """What a copy is to be, found out by who makes it: whatever a copy looks at becomes a page of its own."""

        def __init__(self, spec: ShimSpec, *, roots: Sequence[str]) -> None:
            """Take on the run's environment, for its copy to begin with; `roots` is where our own code lies."""
            _take_on(spec.env)
            self.nonce = spec.nonce
            self.arguments = list(spec.command[1:])
            self.script = spec.command[1]
            where = os.path.join(os.path.realpath(spec.cwd), self.script)
            self.file = os.path.abspath(where)
            extra = [path for path in spec.env.get("PYTHONPATH", "").split(os.pathsep) if path]
            kept = [path for path in sys.path if path and path not in roots]
            self.path = [os.path.dirname(os.path.realpath(where)), *extra, *kept]
            self.module = types.ModuleType("__main__")
            self.module.__dict__.update(
                __builtins__=__builtins__,
                __file__=self.file,
                __loader__=importlib.machinery.SourceFileLoader("__main__", self.script),
            )

    def _run(way_here: TakeOver, cookie: Cookie, ours: Mapping[str, types.ModuleType]) -> NoReturn:
        """Run what was prepared as the program of this process; called with nothing above it."""
        program = way_here.program
        assert isinstance(program, Program)
        cookie.become(program.nonce)
        os.closerange(3, SHIMS_DESCRIPTORS)
        _restore_signals()
        _restore_interpreter(program)
        for name in ours:
            del sys.modules[name]
        # Behind all that was imported before, and in front of all that it imports.
        del sys.modules["__main__"]
        sys.modules["__main__"] = program.module
        code = _execute(program)
        _finish()
        if code == _INTERRUPTED:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        os._exit(code & 0xFF)

    def _execute(program: Program) -> int:
        """Run the script; return its exit code."""
        try:
            with open(program.script, "rb") as file:
                source = file.read()
        except OSError as error:
            words = f"{sys.executable}: can't open file {program.file!r}: "
            sys.stderr.write(f"{words}[Errno {error.errno}] {error.strerror}\n")
            return 2
        try:
            exec(compile(source, program.file, "exec"), program.module.__dict__)  # noqa: S102 - the module itself
        except SystemExit as end:
            return _exit_code(end)
        except BaseException as error:
            # Without the line of this file in it.
            if error.__traceback__:
                error.__traceback__ = error.__traceback__.tb_next
            sys.excepthook(type(error), error, error.__traceback__)
            return _INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
        return 0

    def _exit_code(end: SystemExit) -> int:
        if end.code is None:
            return 0
        if isinstance(end.code, int):
            return end.code
        print(end.code, file=sys.stderr)  # noqa: T201 - as Python does with words instead of a number
        return 1

    def _finish() -> None:
        """End the program as Python does, but leave alone what was there before it.

        Python would take apart all that was ever imported, and each page of that is a page this copy had to make its
        own first. What the program itself made is taken apart, so that its files are written and its objects told.
        """
        if threading := sys.modules.get("threading"):
            threading._shutdown()  # what Python itself calls to wait for threads
        atexit._run_exitfuncs()
        for module in list(_imported_by_the_program()):
            for name in [n for n in vars(module) if n != "__builtins__"]:
                vars(module)[name] = None
        gc.collect()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()

    def _imported_by_the_program() -> Iterator[types.ModuleType]:
        """Yield the program's modules, the last one first and the program itself last."""
        if "__main__" not in sys.modules:
            return
        for name, module in reversed(sys.modules.items()):
            if isinstance(module, types.ModuleType):
                yield module
            if name == "__main__":
                return

    def _restore_signals() -> None:
        """Have each signal as Python has it when a program begins."""
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_IGN)

    def _take_on(wanted: Mapping[str, str]) -> None:
        """Have this environment; most of it is the node's, with which the interpreter was started."""
        before = dict(os.environ)
        for name in before.keys() - wanted.keys():
            del os.environ[name]
        for name, value in wanted.items():
            if before.get(name) != value:
                os.environ[name] = value
        if before.get("TZ") != wanted.get("TZ"):
            time.tzset()

    def _restore_interpreter(program: Program) -> None:
        sys.argv = program.arguments
        sys.path[:] = program.path
        # What is left to collect at the end is what the program made.
        gc.freeze()
        gc.enable()
        # Python gives each copy other random numbers by itself; NumPy would give all of them the same.
        if numpy_random := sys.modules.get("numpy.random"):
            numpy_random.seed()
