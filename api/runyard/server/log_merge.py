"""Many live logs in one stream: browsers allow few connections, and a person who watches ten runs needs ten logs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass

from runyard.server.log_models import LARGEST
from runyard.server.log_stream import HEARTBEAT, Piece, encode, pieces
from runyard.server.logs import Logs
from runyard_cluster.errors import NotFoundError

#: Logs in one stream. Each holds one chunk at most while its reader is slow.
MOST_RUNS = 100
#: The id of an event, and `since`: for each log in the order of the request, its attempt and next offset.
SINCE = r"[0-9]{1,5}:[0-9]{1,18}(,[0-9]{1,5}:[0-9]{1,18})*"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the log of a run's attempt was read. Attempt 0 is the newest, whichever that is."""

    attempt: int = 0
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.attempt}:{self.offset}"


def marks(since: str | None, count: int) -> list[Mark]:
    """Return where `count` logs go on; at their beginnings where `since` does not say."""
    found = [Mark()] * count
    if since and re.fullmatch(SINCE, since):
        for index, text in enumerate(since.split(",")[:count]):
            attempt, _, offset = text.partition(":")
            found[index] = Mark(int(attempt), min(int(offset), LARGEST))
    return found


async def stream(logs: Logs, run_ids: Sequence[str], begin: Sequence[Mark]) -> AsyncIterator[bytes]:
    """Yield the events of all these logs as they come, each with its run, and ids from which all go on."""
    yield b"retry: 1000\n\n"
    at = list(begin)
    sources = [_one(logs, run_id, mark) for run_id, mark in zip(run_ids, begin, strict=True)]
    waiting = {asyncio.create_task(_next(source)): index for index, source in enumerate(sources)}
    try:
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                index = waiting.pop(task)
                if (found := task.result()) is None:
                    continue
                at[index], piece = found
                yield _encode(piece, run_ids[index], at, index)
                waiting[asyncio.create_task(_next(sources[index]))] = index
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for source in sources:
            await source.aclose()


Source = AsyncGenerator[tuple[Mark, Piece], None]


async def _one(logs: Logs, run_id: str, mark: Mark) -> AsyncGenerator[tuple[Mark, Piece], None]:
    """Yield the pieces of one log. One of which nothing is known says so, and the others go on."""
    try:
        place = await logs.place(run_id, mark.attempt or None)
        async for piece in pieces(logs, place.attempt, mark.offset):
            yield Mark(place.attempt.attempt, piece.offset), piece
    except NotFoundError as error:
        yield mark, Piece("missing", {"detail": str(error)}, mark.offset)


async def _next(source: Source) -> tuple[Mark, Piece] | None:
    return await anext(source, None)


def _encode(piece: Piece, run_id: str, at: Sequence[Mark], index: int) -> bytes:
    if not piece.kind:
        return HEARTBEAT
    data = {"run": piece.data} if piece.kind == "end" else piece.data
    whose = {"run_id": run_id, "attempt": at[index].attempt}
    return encode(piece.kind, {**whose, **data}, ",".join(map(str, at)))
