"""A live log as Server-Sent Events: every byte once, in order, each event's id the offset that comes next."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

from runyard.server.log_watch import CHUNK, NEWS, Chunk, Followed, is_over, read_chunk
from runyard.server.logs import Logs

#: A comment is sent after this many quiet seconds, so that dead connections are noticed.
HEARTBEAT_SECONDS = 15.0


async def stream(logs: Logs, followed: Followed, offset: int) -> AsyncIterator[bytes]:
    """Yield `log` events from `offset` on, then `end` with the run. A `gap` event stands for dropped bytes."""
    yield b"retry: 1000\n\n"
    while not logs.hub.is_closed:
        seen = logs.hub.last_seq
        run = await asyncio.to_thread(logs.run, followed.run_id)
        # What was written before the end is in the file by now, so it is read after the end was seen.
        has_ended = is_over(run, followed.attempt)
        while chunk := await asyncio.to_thread(read_chunk, followed.folder, offset):
            yield _encode(chunk, offset)
            is_last = not has_ended and chunk.end - offset < CHUNK // 2
            offset = chunk.end
            if is_last:
                break
        if has_ended:
            yield _event("end", run, offset)
            return
        async for chunk in _live(logs, followed, offset, seen):
            yield _encode(chunk, offset) if chunk.data else b":\n\n"
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


def _encode(chunk: Chunk, expected: int) -> bytes:
    found = b""
    if chunk.offset != expected:
        found = _event("gap", {"offset": expected, "end": chunk.offset}, chunk.offset)
    return found + _event("log", {"offset": chunk.offset, **_text(chunk.data)}, chunk.end)


def _text(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def _event(kind: str, data: Any, offset: int) -> bytes:
    body = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return f"id: {offset}\nevent: {kind}\ndata: {body}\n\n".encode()
