"""The live stream of every state change."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from runyard.server.context import Here
from runyard.server.event_pages import ALL_KINDS
from runyard_actors.store.event_kinds import EventKind

router = APIRouter(tags=["live"])

#: Proxies must not collect a stream, and nobody may keep one.
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get("/api/events", response_class=StreamingResponse)
async def events(
    here: Here,
    since: Annotated[int | None, Query(ge=0, description="resume after this event's number")] = None,
    last_event_id: Annotated[str | None, Header()] = None,
    kind: Annotated[
        list[EventKind | Literal["usage"]] | None,
        Query(description="only events of these kinds; all if left out"),
    ] = None,
) -> StreamingResponse:
    """Stream every state change as Server-Sent Events; `Last-Event-ID` resumes without a gap."""
    resumed = int(last_event_id) if last_event_id and last_event_id.isdecimal() else since
    stream = here.hub.stream(resumed, frozenset(kind) if kind else ALL_KINDS)
    return StreamingResponse(stream, media_type="text/event-stream", headers=STREAM_HEADERS)
