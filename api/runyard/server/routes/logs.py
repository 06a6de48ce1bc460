"""Logs: byte ranges, last lines, and a live stream by offset."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from runyard.server.context import Context, Here
from runyard.server.routes.events import STREAM_HEADERS
from runyard.server.routes.runs import RunId
from runyard_actors import log_file
from runyard_actors.ids import is_id
from runyard_actors.run import Status
from runyard_actors.run_folder import RunFolder
from runyard_cluster.errors import NotFoundError

router = APIRouter(prefix="/api/runs", tags=["logs"])

#: How often a live log is looked at, in seconds; within what an eye takes for at once.
LOOK_SECONDS = 0.05
#: Bytes of log in one event.
CHUNK = 256 * 1024
LARGEST = 2**62


Attempt = Annotated[int | None, Query(ge=1, le=10_000, description="the newest if left out")]


@router.get("/{run_id}/log", response_class=StreamingResponse)
async def log(
    here: Here,
    run_id: RunId,
    attempt: Attempt = None,
    offset: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
    limit: Annotated[int | None, Query(ge=0, le=LARGEST)] = None,
    tail: Annotated[int | None, Query(ge=0, le=10_000_000, description="only the last lines")] = None,
) -> StreamingResponse:
    """Return bytes of the log as the module wrote them; `X-Log-Size` is the whole size."""
    path, _ = await _log_of(here, run_id, attempt)
    start = offset if tail is None else max(offset, await asyncio.to_thread(log_file.tail_offset, path, tail))
    headers = {
        "X-Log-Size": str(log_file.size(path)),
        "X-Log-Offset": str(start),
        "Cache-Control": "no-store",
    }
    blocks = log_file.read(path, start, limit)
    return StreamingResponse(blocks, media_type="text/plain; charset=utf-8", headers=headers)


@router.get("/{run_id}/log/stream", response_class=StreamingResponse)
async def stream(
    here: Here,
    run_id: RunId,
    attempt: Attempt = None,
    offset: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Stream the log as `log` events whose id is the offset that comes next, then `end` with the run.

    The data is JSON: `offset`, and `text`, or `base64` where the bytes are not UTF-8.
    """
    path, number = await _log_of(here, run_id, attempt)
    start = int(last_event_id) if last_event_id and last_event_id.isdecimal() else offset
    events = _follow(here, run_id, number, path, start)
    return StreamingResponse(events, media_type="text/event-stream", headers=STREAM_HEADERS)


async def _log_of(here: Context, run_id: str, attempt: int | None) -> tuple[FilePath, int]:
    run = await asyncio.to_thread(here.reader.run, run_id) if is_id(run_id) else None
    if run is None:
        raise NotFoundError(f"no run {run_id[:64]} is known")
    number = attempt or max(1, run["attempt"])
    if number > max(1, run["attempt"]):
        raise NotFoundError(f"run {run_id} has no attempt {number}; its newest is {run['attempt']}")
    return RunFolder.of(here.data_dir.runs, run_id, number).log_file, number


async def _follow(
    here: Context, run_id: str, attempt: int, path: FilePath, offset: int
) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    while not here.hub.is_closed:
        run = await asyncio.to_thread(here.reader.run, run_id)
        assert run is not None
        is_over = Status(run["status"]).is_ended or run["attempt"] > attempt
        while chunk := await asyncio.to_thread(_chunk, path, offset):
            offset += len(chunk)
            yield _event("log", {"offset": offset - len(chunk), **_text(chunk)}, offset)
        if is_over:
            yield _event("end", run, offset)
            return
        await _until_news(here, path, offset)


async def _until_news(here: Context, path: FilePath, offset: int) -> None:
    """Return when the log grew or some run's state changed."""
    seen = here.hub.last_seq
    while log_file.size(path) <= offset and here.hub.last_seq == seen and not here.hub.is_closed:  # noqa: ASYNC110 a file has no event to wait for that all systems know
        await asyncio.sleep(LOOK_SECONDS)


def _chunk(path: FilePath, offset: int) -> bytes:
    """Read what is new, ending with a whole line or at least a whole character where that can be."""
    data = b"".join(log_file.read(path, offset, CHUNK))
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        is_cut = (byte >= 0xF0 and back < 4) or (byte >= 0xE0 and back < 3) or (byte >= 0xC0 and back < 2)
        return data[:-back] if is_cut and len(data) > back else data
    return data


def _text(chunk: bytes) -> dict[str, str]:
    try:
        return {"text": chunk.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(chunk).decode("ascii")}


def _event(kind: str, data: Any, offset: int) -> bytes:
    body = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return f"id: {offset}\nevent: {kind}\ndata: {body}\n\n".encode()
