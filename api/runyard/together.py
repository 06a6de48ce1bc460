"""Several runs waited for together."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from typing import Any, Literal, overload

from runyard.background import next_of
from runyard.run import Run, RunResult
from runyard_cluster.errors import RunError


@overload
def gather(
    *runs: Run, return_exceptions: Literal[False] = False, timeout: float | None = None
) -> list[RunResult]: ...
@overload
def gather(
    *runs: Run, return_exceptions: bool, timeout: float | None = None
) -> list[RunResult | RunError]: ...
def gather(*runs: Run, return_exceptions: bool = False, timeout: float | None = None) -> Any:
    """Wait for runs, wherever they were submitted; return their results in order.

    With `return_exceptions` a RunError stands in the place of each run that did not complete; without, the first of
    them in that order is raised once all have ended. Raises TimeoutError. In async code, `asyncio.gather` takes runs.
    """
    for _ in as_completed(runs, timeout):
        pass
    if return_exceptions:
        return [run.exception() or run.result() for run in runs]
    return [run.result() for run in runs]


def as_completed(runs: Iterable[Run], timeout: float | None = None) -> Iterator[Run]:
    """Yield each run when it has ended, the first to end first. Raises TimeoutError, ConnectionFailedError."""
    waiting = list(dict.fromkeys(runs))
    ended: SimpleQueue[Run] = SimpleQueue()
    for run in waiting:
        run.add_done_callback(ended.put)
    end = None if timeout is None else time.monotonic() + timeout
    for _ in waiting:
        yield next_of(ended, end).wait(0)
