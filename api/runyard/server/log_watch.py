"""Following many logs at once: one look at all of them, in one thread, however many streams there are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from runyard.server.hub import Hub
from runyard_actors import log_file
from runyard_actors.run import Status
from runyard_actors.run_folder import RunFolder
from runyard_actors.store.reader import StoreReader
from runyard_cluster.errors import UnavailableError

#: How often live logs are looked at, in seconds: those that grow, since they go on growing, and quiet ones, within what
#: an eye takes for at once. From one to the other it takes so many times as long after each look that finds nothing.
GROWING_LOOK_SECONDS, QUIET_LOOK_SECONDS, SLOWER = 0.015, 0.05, 1.3
#: Pause after a look, at least, as a multiple of what it took: many logs do not keep a core busy.
REST = 4
#: How often what is new is brought of those that are written on another node.
BRING_SECONDS = 0.5
#: Bytes of log handed on at once to a stream that catches up, and to each of those that wait for news.
CHUNK = 256 * 1024
NEWS = 64 * 1024


#: Brings what an attempt wrote on another node, as far as that can be had now.
Bring = Callable[[str, int], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """An attempt whose log is followed; `is_elsewhere`: it is written on another node, and brought from there."""

    run_id: str
    attempt: int
    folder: RunFolder
    is_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of a log; where its middle was dropped, they begin after the gap instead of where they were wanted."""

    offset: int
    data: bytes

    @property
    def end(self) -> int:
        """The offset that comes next."""
        return self.offset + len(self.data)


@dataclass(slots=True, eq=False)
class _Waiter:
    followed: Followed
    offset: int
    seen: int
    news: asyncio.Future[Chunk | None]


class LogWatch:
    """Tells streams what is new in their logs.

    A stream that still sends its last chunk does not wait here, so a slow one costs nothing and delays nobody.
    """

    def __init__(self, hub: Hub, reader: StoreReader, bring: Bring) -> None:
        self._hub = hub
        self._bring = bring
        self._reader = reader
        self._waiters: set[_Waiter] = set()
        self._looking: asyncio.Task[None] | None = None
        self._bringing: asyncio.Task[None] | None = None

    async def news(self, followed: Followed, offset: int, seen: int, limit_seconds: float) -> Chunk | None:
        """Wait for bytes from `offset` on. None when the run may have ended. Raises TimeoutError.

        `seen` is the number of the last stored event when its state was looked at.
        """
        waiter = _Waiter(followed, offset, seen, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on(), name="watch logs")
        if followed.is_elsewhere and (self._bringing is None or self._bringing.done()):
            self._bringing = asyncio.create_task(self._bring_on(), name="bring logs")
        try:
            async with asyncio.timeout(limit_seconds):
                return await waiter.news
        finally:
            self._waiters.discard(waiter)

    async def _look_on(self) -> None:
        """Look at the logs for as long as anybody waits."""
        loop, pause = asyncio.get_running_loop(), GROWING_LOOK_SECONDS
        try:
            while self._waiters and not self._hub.is_closed:
                start = loop.time()
                has_grown = await asyncio.to_thread(self._look, loop, list(self._waiters), self._hub.last_seq)
                took = loop.time() - start
                pause = GROWING_LOOK_SECONDS if has_grown else min(pause * SLOWER, QUIET_LOOK_SECONDS)
                await asyncio.sleep(max(pause - took, took * REST))
        finally:
            for waiter in self._waiters:
                _tell(waiter, None)

    async def _bring_on(self) -> None:
        """Bring logs from other nodes for as long as anybody waits for one."""
        while not self._hub.is_closed:
            wanted = {(f.run_id, f.attempt) for w in self._waiters if (f := w.followed).is_elsewhere}
            if not wanted:
                return
            await asyncio.gather(*(self._bring(*key) for key in wanted))
            await asyncio.sleep(BRING_SECONDS)

    def _look(self, loop: asyncio.AbstractEventLoop, waiters: list[_Waiter], seq: int) -> bool:
        """Tell the waiters what is new; return whether anything is."""
        has_grown = False
        sizes = {waiter.followed.folder.path: -1 for waiter in waiters}
        quiet = []
        for waiter in waiters:
            folder = waiter.followed.folder
            if sizes[folder.path] < 0:
                sizes[folder.path] = folder.log_size()
            try:
                is_new = sizes[folder.path] > waiter.offset
                chunk = read_chunk(folder, waiter.offset, NEWS) if is_new else None
            except OSError:
                chunk = None
            if chunk:
                has_grown = True
                loop.call_soon_threadsafe(_tell, waiter, chunk)
            elif waiter.seen < seq:
                quiet.append(waiter)
        self._look_at_runs(loop, quiet, seq)
        return has_grown

    def _look_at_runs(self, loop: asyncio.AbstractEventLoop, waiters: list[_Waiter], seq: int) -> None:
        """Ask the store, once for all, which of the runs have ended since."""
        if not waiters:
            return
        try:
            runs = self._reader.runs_by_id(list({waiter.followed.run_id for waiter in waiters}))
        except UnavailableError:
            return
        for waiter in waiters:
            waiter.seen = seq
            if is_over(runs.get(waiter.followed.run_id), waiter.followed.attempt):
                loop.call_soon_threadsafe(_tell, waiter, None)


def is_over(run: dict[str, Any] | None, attempt: int) -> bool:
    """Whether that attempt's log grows no more: it has ended, another one began, or the run is gone."""
    return run is None or Status(run["status"]).is_ended or run["attempt"] > attempt


def read_chunk(folder: RunFolder, offset: int, limit: int = CHUNK) -> Chunk | None:
    """Read what comes next, not cut within a character if that can be; None when there is nothing."""
    data = b"".join(log_file.read(folder.log_file, offset, limit))
    # Bytes are dropped while they are read, but not before the gap is recorded; so it is looked at afterwards.
    gap = folder.log_gap()
    if gap and offset < gap[1] and gap[0] < offset + len(data):
        if gap[0] <= offset:
            return read_chunk(folder, gap[1], limit)
        data = data[: gap[0] - offset]
    return Chunk(offset, _whole_characters(data)) if data else None


def _whole_characters(data: bytes) -> bytes:
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        is_cut = (byte >= 0xF0 and back < 4) or (byte >= 0xE0 and back < 3) or (byte >= 0xC0 and back < 2)
        return data[:-back] if is_cut and len(data) > back else data
    return data


def _tell(waiter: _Waiter, news: Chunk | None) -> None:
    if not waiter.news.done():
        waiter.news.set_result(news)
