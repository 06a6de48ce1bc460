"""A batch as the caller holds it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, overload

from runyard.background import SLICE_SECONDS
from runyard.run import Run, RunResult
from runyard_cluster.errors import RunError

if TYPE_CHECKING:
    from runyard.session import Session


class Batch:
    """Runs submitted together, in order. `async for run in batch` yields them as they end; `await` the results."""

    def __init__(self, batch_id: str, name: str | None, runs: Sequence[Run], session: Session) -> None:
        self.batch_id = batch_id
        self.name = name
        self.runs = list(runs)
        self._session = session

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    def wait(self, timeout: float | None = None) -> Batch:
        """Wait until all runs have ended. Raises TimeoutError."""
        for _ in self.as_completed(timeout):
            pass
        return self

    def as_completed(self, timeout: float | None = None) -> Iterator[Run]:
        """Yield each run when it has ended, the first to end first. Raises TimeoutError, ConnectionFailedError."""
        ended: SimpleQueue[Run] = SimpleQueue()
        for run in self.runs:
            run.add_done_callback(ended.put)
        end = None if timeout is None else time.monotonic() + timeout
        with self._session.cancelling_on_interrupt(self.runs, self.batch_id):
            for _ in self.runs:
                yield _next(ended, end).wait(0)

    @overload
    def results(
        self, *, return_exceptions: Literal[False] = False, timeout: float | None = None
    ) -> list[RunResult]: ...
    @overload
    def results(
        self, *, return_exceptions: bool, timeout: float | None = None
    ) -> list[RunResult | RunError]: ...
    def results(self, *, return_exceptions: bool = False, timeout: float | None = None) -> Any:
        """Wait for all; return the results in order, with exceptions in place, or raise the first one."""
        self.wait(timeout)
        if return_exceptions:
            return [run.exception() or run.result() for run in self.runs]
        return [run.result() for run in self.runs]

    def cancel(self, reason: str | None = None) -> None:
        """Cancel all runs that have not ended."""
        self._session.client.cancel_batch(self.batch_id, reason)

    def edit(self, **edits: Any) -> None:
        """Change `max_concurrent`, None for any number, or the `priority` of the runs that have not started."""
        self._session.client.edit_batch(self.batch_id, edits)

    def hold(self) -> None:
        """Keep all runs that have not started from starting, until `release`."""
        self._session.client.hold_batch(self.batch_id)

    def release(self) -> None:
        """Let all held runs start."""
        self._session.client.release_batch(self.batch_id)

    def retry_failed(self) -> Batch:
        """Submit the failed runs again; return them as a batch of their own to wait for."""
        return self._session.retry_failed(self)

    def __aiter__(self) -> AsyncIterator[Run]:
        return self._async_as_completed()

    def __await__(self) -> Generator[Any, None, list[RunResult]]:
        return self._async_results().__await__()

    async def async_results(self, *, return_exceptions: bool = False) -> list[RunResult | RunError]:
        """Await all; return the results in order, with exceptions in place, or raise the first one."""
        return await asyncio.gather(*map(_awaited, self.runs), return_exceptions=return_exceptions)  # type: ignore[return-value] # every exception of a run is a RunError

    async def _async_results(self) -> list[RunResult]:
        return [await run for run in self.runs]

    async def _async_as_completed(self) -> AsyncIterator[Run]:
        loop = asyncio.get_running_loop()
        ended: asyncio.Queue[Run] = asyncio.Queue()
        for run in self.runs:
            run.add_done_callback(lambda run: loop.call_soon_threadsafe(ended.put_nowait, run))
        for _ in self.runs:
            yield (await ended.get()).wait(0)

    def __repr__(self) -> str:
        return f"<Batch {self.batch_id} {self.name or ''}: {len(self.runs)} runs>"


def _next(ended: SimpleQueue[Run], end: float | None) -> Run:
    from queue import Empty

    while True:
        left = SLICE_SECONDS if end is None else min(SLICE_SECONDS, end - time.monotonic())
        try:
            return ended.get(timeout=max(0.0, left))
        except Empty:
            if end is not None and time.monotonic() >= end:
                raise TimeoutError("not all runs have ended in time") from None


async def _awaited(run: Run) -> RunResult:
    return await run
