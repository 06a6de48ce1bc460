"""An event loop in a thread of its own, so that code without one can use what is written for one."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: A wait is cut into pieces this long, because Windows delivers Ctrl-C only between two of them.
SLICE_SECONDS = 0.5


class Background:
    """One loop in one daemon thread; shared by everything in the process."""

    _shared: Background | None = None
    _guard = threading.Lock()

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="runyard", daemon=True)
        self._thread.start()

    @classmethod
    def shared(cls) -> Background:
        """Return the process's background loop, started on first use."""
        with cls._guard:
            if cls._shared is None:
                cls._shared = cls()
            return cls._shared

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run `work` on the loop; return its future."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop and wait for it; Ctrl-C ends the wait and the work."""
        future = self.start(work)
        try:
            return wait(future, None)
        except BaseException:
            future.cancel()
            raise

    def iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        """Yield what an async iterator on the loop yields."""
        steps = _Steps(items)
        try:
            while True:
                try:
                    yield self.call(steps.next())
                except StopAsyncIteration:
                    return
        finally:
            self._close(steps)

    def _close(self, steps: _Steps[T]) -> None:
        """Close an iterator that is left, wherever the garbage collector leaves it.

        As the interpreter ends, the loop's thread is no more; in that thread, waiting would be for itself.
        """
        if sys.is_finalizing():
            return
        if threading.current_thread() is self._thread:
            self.start(steps.close())
        else:
            self.call(steps.close())


def wait(future: Future[T], timeout: float | None) -> T:
    """Wait for a future in the calling thread, open to Ctrl-C on every system. Raises TimeoutError."""
    left = timeout
    while left is None or left > SLICE_SECONDS:
        try:
            return future.result(SLICE_SECONDS)
        except TimeoutError:
            if future.done():
                raise
            left = None if left is None else left - SLICE_SECONDS
    return future.result(left)


def next_of(queue: SimpleQueue[T], end: float | None) -> T:
    """Wait for a queue's next item until a moment of the monotonic clock, open to Ctrl-C. Raises TimeoutError."""
    while True:
        left = SLICE_SECONDS if end is None else min(SLICE_SECONDS, end - time.monotonic())
        try:
            return queue.get(timeout=max(0.0, left))
        except Empty:
            if end is not None and time.monotonic() >= end:
                raise TimeoutError("not all runs have ended in time") from None


class _Steps(Generic[T]):
    """The steps of an async iterator, one at a time. Ctrl-C may leave one under way, wherever it strikes."""

    def __init__(self, items: AsyncIterator[T]) -> None:
        self._items = items
        self._step: asyncio.Task[Any] | None = None

    async def next(self) -> T:
        self._step = asyncio.current_task()
        return await anext(self._items)

    async def close(self) -> None:
        """End the step under way, and only then the iterator: it refuses to be closed before."""
        if self._step is not None and not self._step.done():
            if not self._step.cancelling():
                self._step.cancel()
            await asyncio.wait([self._step])
        close = getattr(self._items, "aclose", None)
        if close is not None:
            await close()
