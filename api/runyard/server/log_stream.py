"""A live log, piece by piece: every byte once, in order; and as Server-Sent Events, their ids the next offset."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from runyard.server.log_watch import CHUNK, NEWS, Chunk, Followed, is_over, read_chunk
from runyard.server.logs import Logs

#: A comment is sent after this many quiet seconds, so that dead connections are noticed.
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b":\n\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """What comes next of a log: its `kind` is `log`, `gap`, `end`, or nothing after a quiet while."""

    kind: str
    data: dict[str, Any]
    #: The offset that comes after it.
    offset: int


async def stream(logs: Logs, followed: Followed, offset: int) -> AsyncIterator[bytes]:
    """Yield `log` events from `offset` on, then `end` with the run. A `gap` event stands for dropped bytes."""
    yield b"retry: 1000\n\n"
    async for piece in pieces(logs, followed, offset):
        yield encode(piece.kind, piece.data, piece.offset) if piece.kind else HEARTBEAT


async def pieces(logs: Logs, followed: Followed, offset: int) -> AsyncIterator[Piece]:
    """Yield the log from `offset` on as it grows, until its attempt is over. Raises NotFoundError."""
    while not logs.hub.is_closed:
        seen = logs.hub.last_seq
        run = await asyncio.to_thread(logs.run, followed.run_id)
        # What was written before the end is in the file by now, so it is read after the end was seen.
        has_ended = is_over(run, followed.attempt)
        while chunk := await asyncio.to_thread(read_chunk, followed.folder, offset):
            for piece in _pieces(chunk, offset):
                yield piece
            is_last = not has_ended and chunk.end - offset < CHUNK // 2
            offset = chunk.end
            if is_last:
                break
        if has_ended:
            yield Piece("end", run, offset)
            return
        async for chunk in _live(logs, followed, offset, seen):
            for piece in _pieces(chunk, offset):
                yield piece
            offset = chunk.end


async def _live(logs: Logs, followed: Followed, offset: int, seen: int) -> AsyncIterator[Chunk]:
    """Yield what is new, or an empty chunk after a quiet while, until the run may have ended or much is new."""
    while not logs.hub.is_closed:
        try:
            chunk = await logs.watch.news(followed, offset, seen, HEARTBEAT_SECONDS)
        except TimeoutError:
            yield Chunk(offset, b"")
            continue
        if chunk is None:
            return
        yield chunk
        if chunk.end - offset > NEWS // 2:
            return
        offset = chunk.end


def _pieces(chunk: Chunk, expected: int) -> Iterator[Piece]:
    if chunk.offset != expected:
        yield Piece("gap", {"offset": expected, "end": chunk.offset}, chunk.offset)
    if chunk.data:
        yield Piece("log", {"offset": chunk.offset, **_text(chunk.data)}, chunk.end)
    else:
        yield Piece("", {}, chunk.end)


def _text(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def encode(kind: str, data: Any, number: int | str) -> bytes:
    """Return one Server-Sent Event; its id is the `number`."""
    body = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return f"id: {number}\nevent: {kind}\ndata: {body}\n\n".encode()
