"""What the routes of logs share: the watch over live ones, where lines begin, and how many search at once."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from runyard.server.context import Context, Here
from runyard.server.log_watch import Followed, LogWatch, is_over
from runyard_actors import log_search
from runyard_actors.ids import is_id
from runyard_actors.log_file import Log
from runyard_actors.log_lines import LogLines
from runyard_actors.log_search import Found, Limits, Query
from runyard_actors.run_folder import RunFolder
from runyard_cluster.errors import NotFoundError, UnavailableError

log = logging.getLogger("runyard.server")

#: Searches at once: they read whole files, and the machine is there for runs.
SEARCHES = 2
#: How often it is looked whether the one who searches is still there, in seconds.
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whose log it is that was asked for, and where it lies."""

    attempt: Followed
    log: Log


class Logs:
    """One server's logs."""

    def __init__(self, context: Context) -> None:
        self.watch = LogWatch(context.hub, context.reader, self.bring)
        self.lines = LogLines()
        self.hub = context.hub
        self._context = context
        self._reader = context.reader
        self._runs = context.data_dir.runs
        self._slots = asyncio.Semaphore(SEARCHES)

    def run(self, run_id: str) -> dict[str, Any]:
        """Return the run as JSON. Raises NotFoundError."""
        run = self._reader.run(run_id) if is_id(run_id) else None
        if run is None:
            raise NotFoundError(f"no run {run_id[:64]} is known")
        return run

    async def place(self, run_id: str, attempt: int | None) -> Place:
        """Return where the log of an attempt lies, all of it that can be had. Raises NotFoundError."""
        found = await asyncio.to_thread(self.find, run_id, attempt)
        if found.attempt.is_elsewhere and not found.log.has_ended:
            await self.bring(run_id, found.attempt.attempt)
            found = await asyncio.to_thread(self.find, run_id, found.attempt.attempt)
        return found

    async def bring(self, run_id: str, attempt: int) -> None:
        """Bring what an attempt wrote on another node; what cannot be had now may be had later."""
        try:
            await self._context.manager.bring_log(run_id, attempt)
        except UnavailableError as error:
            log.info("the log of run %s cannot be brought now: %s", run_id, error)

    def find(self, run_id: str, attempt: int | None) -> Place:
        """Return where the log of an attempt lies, the newest if none is named. Raises NotFoundError."""
        run = self.run(run_id)
        newest = max(1, run["attempt"])
        number = attempt or newest
        if number > newest:
            raise NotFoundError(f"run {run_id} has no attempt {number}; its newest is {newest}")
        folder = RunFolder.of(self._runs, run_id, number)
        found = Log(path=folder.log_file, gap=folder.log_gap(), has_ended=is_over(run, number))
        return Place(
            attempt=Followed(
                run_id=run_id, attempt=number, folder=folder, is_elsewhere=self._is_elsewhere(run)
            ),
            log=found,
        )

    def _is_elsewhere(self, run: dict[str, Any]) -> bool:
        return run["node"] not in (None, self._context.capacity.node)

    async def search(
        self,
        log: Log,
        query: Query,
        has_left: Callable[[], Awaitable[bool]],
        seconds: float = log_search.SEARCH_SECONDS,
    ) -> Found:
        """Search a log; given up when the caller `has_left` or the server leaves, as UnavailableError."""
        is_left = threading.Event()
        limits = Limits(seconds=seconds, is_wanted=lambda: not is_left.is_set())
        async with self._slots:
            work = asyncio.create_task(
                asyncio.to_thread(log_search.search, log, query, self.lines, limits), name="search a log"
            )
            try:
                while not (await asyncio.wait([work], timeout=LOOK_SECONDS))[0]:
                    if self.hub.is_closed or await has_left():
                        raise UnavailableError("the search was given up")
            finally:
                is_left.set()
                await asyncio.wait([work])
            return work.result()


async def of(request: Request, here: Here) -> Logs:
    """Return the logs of the server that handles `request`."""
    state = request.app.state
    if not hasattr(state, "logs"):
        state.logs = Logs(here)
    logs: Logs = state.logs
    return logs


LogsHere = Annotated[Logs, Depends(of)]
