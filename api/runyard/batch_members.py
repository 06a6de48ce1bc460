"""The runs of a batch as its caller knows them, and who waits for news of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from runyard.run import Run
from runyard_cluster.errors import RunyardError

#: Is called with a run that has ended, or with None when something else is new.
Tell: TypeAlias = Callable[[Run | None], object]


class Members:
    """Runs in order. Of an open batch there come more, from this caller and from others, until it is closed."""

    def __init__(self, runs: Sequence[Run], *, is_open: bool) -> None:
        self.runs = list(runs)
        self._is_open = is_open
        self._known = {run.run_id: run for run in runs}
        self._told: list[Tell] = []
        self._lost: RunyardError | None = None
        self._guard = threading.RLock()

    @property
    def is_open(self) -> bool:
        """Whether more runs may come."""
        return self._is_open

    def may_come(self, given: int) -> bool:
        """Whether there is more to wait for than so many runs. Raises what kept anybody from telling."""
        with self._guard:
            if self._is_open and self._lost is not None:
                raise self._lost
            return self._is_open or given < len(self.runs)

    def join(self, run_id: str, made: Callable[[], Run]) -> Run:
        """Return the run with that id; one that is new here is `made`, and belongs to the batch from now on."""
        with self._guard:
            known = self._known.get(run_id)
            if known is not None:
                return known
            run = self._known[run_id] = made()
            self.runs.append(run)
            self.runs.sort(key=_index)
            for tell in self._told:
                run.add_done_callback(tell)
            return run

    def close(self) -> None:
        """No more runs come."""
        with self._guard:
            self._is_open = False
            self._wake()

    def lose(self, error: RunyardError) -> None:
        """Nobody will tell whether more runs come."""
        with self._guard:
            self._lost = error
            self._wake()

    @contextmanager
    def telling(self, tell: Tell) -> Iterator[None]:
        """Within: call `tell` for each run that has ended or ends, in any thread, and with None for other news."""

        def heard(run: Run | None) -> None:
            # Runs keep their callbacks for good; who does not wait any more is not disturbed.
            if heard in self._told:
                tell(run)

        with self._guard:
            self._told.append(heard)
            for run in self.runs:
                run.add_done_callback(heard)
        try:
            yield
        finally:
            self._told.remove(heard)

    async def async_closed(self) -> None:
        """Wait until no more runs come. Raises what kept anybody from telling."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        with self.telling(lambda _: loop.call_soon_threadsafe(news.set)):
            while self._is_open:
                self.may_come(0)
                await news.wait()
                news.clear()

    def _wake(self) -> None:
        for tell in self._told:
            tell(None)


def _index(run: Run) -> int:
    index = run.fields.get("batch_index")
    return index if isinstance(index, int) else -1
