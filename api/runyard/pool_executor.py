"""An executor of the standard library whose workers are runs: each call has a process, limits, a log and a history."""

from __future__ import annotations

import pickle
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from runyard import callable_run
from runyard.module import Module
from runyard.run import Run
from runyard.submission import submit_batch

T = TypeVar("T")
P = ParamSpec("P")

#: Characters that a module's id may have.
_ID_LENGTH = 200


class RunFuture(Future[T]):
    """A future with its run. `cancel` ends the run also while it is running."""

    run: Run

    def cancel(self) -> bool:
        """Give the call up and end its run; return whether it had not ended."""
        if not super().cancel():
            return False
        self.run.cancel("its future was cancelled")
        return True

    def running(self) -> bool:
        """Whether the function is being called."""
        return not self.done() and self.run.fields["status"] == "running"


class RunyardExecutor(Executor):
    """Calls functions in runs, at most `max_workers` at once; any further keyword is a field of `Module`.

    Functions, arguments and results travel by pickle, as with `ProcessPoolExecutor`. An exception of the function is
    raised as it was, any other end of the run as its RunError. All runs are of one open batch, `executor.batch`.
    """

    def __init__(self, max_workers: int | None = None, *, name: str | None = None, **fields: Any) -> None:
        self.batch = submit_batch([], open=True, max_concurrent=max_workers, name=name)
        self._fields = fields
        self._folder = Path(tempfile.mkdtemp(prefix="runyard-calls-"))
        self._numbers = count()
        self._futures: set[RunFuture[Any]] = set()
        self._guard = threading.Lock()
        self._is_shut_down = False
        # Where ends are told of, nothing may be asked of the server: that would wait for itself.
        self._answers = ThreadPoolExecutor(1, thread_name_prefix="runyard answers")

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> RunFuture[T]:
        """Have `fn(*args, **kwargs)` called in a run; the run is durable when this returns.

        Raises RuntimeError after `shutdown`, what pickle raises for what cannot travel, and else as `submit_batch`.
        """
        with self._guard:
            if self._is_shut_down:
                raise RuntimeError("cannot schedule new futures after shutdown")
            number = next(self._numbers)
        given, answer = self._folder / f"{number}.call", self._folder / f"{number}.answer"
        given.write_bytes(pickle.dumps(_place()) + _pickled((fn, args, kwargs)))
        future: RunFuture[T] = RunFuture()
        (future.run,) = self.batch.submit(self._module(fn, given, answer))
        with self._guard:
            self._futures.add(future)
        future.run.add_done_callback(
            lambda run: self._answers.submit(self._on_end, future, run, given, answer)
        )
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; with `cancel_futures` end those that have not ended; wait for all if asked."""
        with self._guard:
            is_first, self._is_shut_down = not self._is_shut_down, True
            futures = list(self._futures)
        if is_first:
            self.batch.close()
        if cancel_futures:
            for future in futures:
                future.cancel()
        if wait:
            for future in futures:
                future.run.wait()
            self._answers.shutdown()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _module(self, fn: Callable[..., Any], given: Path, answer: Path) -> Module:
        name = f"{getattr(fn, '__module__', '')}.{getattr(fn, '__qualname__', type(fn).__name__)}"[
            -_ID_LENGTH:
        ]
        fields = {"python": sys.executable, "name": name, **self._fields}
        return Module(name, script=callable_run.__file__, args=[str(given), str(answer)], **fields)

    def _on_end(self, future: RunFuture[Any], run: Run, given: Path, answer: Path) -> None:
        settle = _settled(run, answer)
        with self._guard:
            self._futures.discard(future)
        given.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)
        if future.set_running_or_notify_cancel():
            settle(future)


def _settled(run: Run, answer: Path) -> Callable[[Future[Any]], None]:
    """Return what settles a future: by what the function returned or raised, or by how its run ended."""
    try:
        kind, value = pickle.loads(answer.read_bytes())  # noqa: S301 written by a run of ours
    except FileNotFoundError:
        error = run.exception(0)
        return lambda future: future.set_exception(error or RuntimeError(f"run {run.run_id} left no answer"))
    except Exception as error:  # What somebody's classes do while they are unpickled is theirs.
        return partial(_set_exception, error=error)
    return (
        partial(Future.set_result, result=value) if kind == "result" else partial(_set_exception, error=value)
    )


def _set_exception(future: Future[Any], error: BaseException) -> None:
    future.set_exception(error)


def _place() -> dict[str, Any]:
    """Return where modules are found here, and this process's own program, if it is a file."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    is_script = main is not None and getattr(sys.modules["__main__"], "__spec__", None) is None
    return {"path": [each for each in sys.path if isinstance(each, str)], "main": main if is_script else None}


def _pickled(call: tuple[Any, ...]) -> bytes:
    return pickle.dumps(call)
