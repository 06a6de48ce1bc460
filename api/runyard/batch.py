"""A batch as the caller holds it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, overload

from runyard.background import next_of
from runyard.batch_members import Members
from runyard.run import Run, RunResult
from runyard_cluster.errors import RunError, RunyardError

if TYPE_CHECKING:
    from types import TracebackType

    from runyard.module import ModuleLike
    from runyard.session import Session


class Batch:
    """Runs submitted together, in order. `async for run in batch` yields them as they end; `await` the results.

    One that is open takes further runs by `submit` until `close`, and has not ended before, though all its runs have.
    `with submit_batch(..., open=True) as batch:` closes it in the end.
    """

    def __init__(
        self, batch_id: str, name: str | None, runs: Sequence[Run], session: Session, *, is_open: bool = False
    ) -> None:
        self.batch_id = batch_id
        self.name = name
        self._session = session
        self._members = Members(runs, is_open=is_open)

    @property
    def runs(self) -> list[Run]:
        """Its runs in order; of an open batch those that are known by now."""
        return self._members.runs

    @property
    def is_open(self) -> bool:
        """Whether it takes further runs."""
        return self._members.is_open

    def submit(
        self, *modules: ModuleLike, idempotency_key: str | None = None, when_full: str | None = None
    ) -> list[Run]:
        """Add runs to an open batch, all or none; return them at once, each durable. Indexes in `after` are theirs.

        Raises ConflictError when the batch is closed, and else as `submit_batch`.
        """
        from runyard.submission import bodies_of

        body: dict[str, Any] = {"runs": bodies_of(modules)}
        if when_full:
            body["when_full"] = when_full
        return self._session.add_runs(self, body, idempotency_key)

    def close(self) -> Batch:
        """Have it take no more runs, for ever. It has ended once all its runs have."""
        self._session.client.close_batch(self.batch_id)
        self._members.close()
        return self

    def __enter__(self) -> Batch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_open:
            self.close()

    def joined(self, fields: Mapping[str, Any], handle: Callable[[Mapping[str, Any]], Run]) -> Run:
        """Return the handle of one of its runs, made by `handle` where it is new; used by the session."""
        return self._members.join(fields["run_id"], lambda: handle(fields))

    def on_closed(self) -> None:
        """No more runs come; used by the session when the server tells so."""
        self._members.close()

    def lose(self, error: RunyardError) -> None:
        """Have whoever waits for more runs raise `error`; used by the session when no server will tell of any."""
        self._members.lose(error)

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    def wait(self, timeout: float | None = None) -> Batch:
        """Wait until all runs have ended, and it is closed. Raises TimeoutError."""
        for _ in self.as_completed(timeout):
            pass
        return self

    def as_completed(self, timeout: float | None = None) -> Iterator[Run]:
        """Yield each run when it has ended, the first to end first; of an open batch until it is closed.

        Raises TimeoutError, ConnectionFailedError.
        """
        news: SimpleQueue[Run | None] = SimpleQueue()
        end = None if timeout is None else time.monotonic() + timeout
        given = 0
        with self._session.cancelling_on_interrupt(self.runs, self.batch_id), self._members.telling(news.put):
            while self._members.may_come(given):
                run = next_of(news, end)
                if run is not None:
                    given += 1
                    yield run.wait(0)

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
        await self._members.async_closed()
        return await asyncio.gather(*map(_awaited, self.runs), return_exceptions=return_exceptions)  # type: ignore[return-value] # every exception of a run is a RunError

    async def _async_results(self) -> list[RunResult]:
        await self._members.async_closed()
        return [await run for run in self.runs]

    async def _async_as_completed(self) -> AsyncIterator[Run]:
        loop = asyncio.get_running_loop()
        news: asyncio.Queue[Run | None] = asyncio.Queue()
        given = 0
        with self._members.telling(lambda each: loop.call_soon_threadsafe(news.put_nowait, each)):
            while self._members.may_come(given):
                run = await news.get()
                if run is not None:
                    given += 1
                    yield run.wait(0)

    def _repr_html_(self) -> str:
        from runyard.notebook import batch_html

        return batch_html(self.batch_id, self.name, [run.fields for run in self.runs])

    def __repr__(self) -> str:
        return f"<Batch {self.batch_id} {self.name or ''}: {len(self.runs)} runs>"


async def _awaited(run: Run) -> RunResult:
    return await run
