"""Logs: bytes and lines of them, search, and a live stream."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import zip_longest
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from runyard.server import log_models, log_stream
from runyard.server.byte_range import byte_range
from runyard.server.log_models import LARGEST, LinesIn, MomentIn, Offset, PartIn, SearchIn
from runyard.server.logs import Logs, LogsHere, Place
from runyard.server.problems import problem
from runyard.server.routes.events import STREAM_HEADERS
from runyard.server.routes.runs import RunId
from runyard_actors import log_file, log_search
from runyard_actors.log_lines import Line
from runyard_actors.log_times import grown, stamped, times

router = APIRouter(prefix="/api/runs", tags=["logs"])

_TEXT = "text/plain; charset=utf-8"
_ID = re.compile(r"[0-9]{1,18}")
_RANGES: dict[int | str, dict[str, Any]] = {
    206: {"description": "The bytes that the `Range` header names", "content": {"text/plain": {}}},
    416: {"description": "None of the bytes that the `Range` header names is there"},
}


@router.get("/{run_id}/log", response_class=StreamingResponse, responses=_RANGES)
async def log(
    logs: LogsHere,
    run_id: RunId,
    part: Annotated[PartIn, Query()],
    wanted: Annotated[str | None, Header(alias="Range", description="of the log as it is")] = None,
    if_range: Annotated[str | None, Header()] = None,
) -> Response:
    """Return bytes of the log as the module wrote them. `X-Log-Size` is the whole size, `X-Log-Offset` the first byte.

    Where the middle of a log was dropped, its bytes read as zeros for who asks for certain bytes, and a line of words
    stands there for who asks for all.
    """
    place = await logs.place(run_id, part.attempt)
    size, start = await asyncio.to_thread(_window, place, part)
    headers = {"X-Log-Size": str(size), "Accept-Ranges": "bytes", "Cache-Control": "no-store"}
    # A log has no validator, so an If-Range holds for none: RFC 9110 has the whole sent then.
    asked = byte_range(wanted, size) if part.is_whole and not if_range else None
    if asked is not None:
        return _ranged(place, asked, size, headers)
    end = size if part.limit is None else min(size, start + part.limit)
    headers |= {"X-Log-Offset": str(start)}
    if not part.timestamps and (part.limit is not None or not _has_gap(place, start, end)):
        headers |= {"Content-Length": str(max(0, end - start))}
    return StreamingResponse(_blocks(place, part, start, end), media_type=_TEXT, headers=headers)


@router.get("/{run_id}/log/lines", response_model=log_models.LogLines)
async def lines(logs: LogsHere, run_id: RunId, asked: Annotated[LinesIn, Query()]) -> Any:
    """Return lines by their numbers, of a log of any size."""
    place = await logs.place(run_id, asked.attempt)
    found = await asyncio.to_thread(logs.lines.lines, place.log, asked.first, asked.end)
    seen = await asyncio.to_thread(_times, place, found.lines) if asked.timestamps else []
    return {
        "first": asked.first,
        "lines": [{**asdict(line), "at": at} for line, at in zip_longest(found.lines, seen)],
        "total": found.total,
        "size": found.size,
        "gap": place.log.gap and dict(zip(("offset", "end"), place.log.gap, strict=True)),
    }


@router.get("/{run_id}/log/moment", response_model=log_models.LogMoment)
async def moment(logs: LogsHere, run_id: RunId, asked: Annotated[MomentIn, Query()]) -> Any:
    """Say which line was the newest at a moment: what a graph of usage and the log have in common is the time."""
    place = await logs.place(run_id, asked.attempt)
    line = await asyncio.to_thread(_newest_at, logs, place, round(asked.at * 1_000_000))
    seen = await asyncio.to_thread(_times, place, [line]) if line else []
    return {"line": line and line.number, "seen_at": seen[0] if seen else None}


@router.get("/{run_id}/log/search", response_model=log_models.LogSearch)
async def search(logs: LogsHere, request: Request, run_id: RunId, asked: Annotated[SearchIn, Query()]) -> Any:
    """Search the whole log, line by line: count all occurrences, and list some of them."""
    place = await logs.place(run_id, asked.attempt)
    query = log_search.Query(
        text=asked.q,
        is_regex=asked.regex,
        ignore_case=asked.ignore_case,
        limit=asked.limit,
        start=asked.offset,
        skip=asked.skip,
    )
    found = await logs.search(place.log, query, request.is_disconnected)
    return {
        "count": found.count,
        "before": found.before,
        "hits": found.hits,
        "complete": found.is_complete,
        "searched_bytes": found.searched_bytes,
        "size": found.size,
    }


@router.get("/{run_id}/log/stream", response_class=StreamingResponse)
async def stream(
    logs: LogsHere,
    run_id: RunId,
    attempt: Annotated[int | None, Query(ge=1, le=10_000, description="the newest if left out")] = None,
    offset: Annotated[Offset, Query()] = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Stream the log as `log` events whose id is the offset that comes next, then `end` with the run.

    The data is JSON: `offset`, and `text`, or `base64` where the bytes are not UTF-8. A `gap` event tells, by `offset`
    and `end`, which bytes were dropped.
    """
    place = await logs.place(run_id, attempt)
    resumed = int(last_event_id) if last_event_id and _ID.fullmatch(last_event_id) else offset
    events = log_stream.stream(logs, place.attempt, min(resumed, LARGEST))
    return StreamingResponse(events, media_type="text/event-stream", headers=STREAM_HEADERS)


def _window(place: Place, part: PartIn) -> tuple[int, int]:
    """Return the log's size, and where what is asked for begins."""
    size = log_file.size(place.log.path)
    if part.tail is None:
        return size, part.offset
    return size, max(part.offset, log_file.tail_offset(place.log.path, part.tail, place.log.gap, size))


def _ranged(place: Place, asked: tuple[int, int], size: int, headers: dict[str, str]) -> Response:
    start, end = asked
    if start >= end:
        detail = f"the log has {size} bytes, and none of those that are asked for"
        return problem(
            416, "InvalidRequestError", detail, headers={**headers, "Content-Range": f"bytes */{size}"}
        )
    headers |= {
        "X-Log-Offset": str(start),
        "Content-Range": f"bytes {start}-{end - 1}/{size}",
        "Content-Length": str(end - start),
    }
    blocks = log_file.read(place.log.path, start, end - start)
    return StreamingResponse(blocks, 206, media_type=_TEXT, headers=headers)


def _blocks(place: Place, part: PartIn, start: int, end: int) -> Iterator[bytes]:
    log, length = place.log, max(0, end - start)
    if part.timestamps:
        return stamped(log.path, place.attempt.folder.time_index_file, start, length, log.gap)
    if part.limit is not None:
        return log_file.read(log.path, start, length)
    return log_file.shown(log.path, start, end, log.gap)


def _newest_at(logs: Logs, place: Place, at: int) -> Line | None:
    end = grown(place.log.path, place.attempt.folder.time_index_file, at)
    if end == 0:
        return None
    (number,) = logs.lines.numbers(place.log, [end - 1])
    return next(iter(logs.lines.lines(place.log, number, number).lines), None)


def _times(place: Place, lines: Sequence[Line]) -> list[str]:
    index = place.attempt.folder.time_index_file
    return times(place.log.path, index, [line.offset for line in lines])


def _has_gap(place: Place, start: int, end: int) -> bool:
    return start < end and log_file.spans(start, end, place.log.gap) != [(start, end)]
