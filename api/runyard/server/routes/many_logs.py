"""The live stream of many logs at once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from runyard.server import log_merge
from runyard.server.logs import LogsHere
from runyard.server.routes.events import STREAM_HEADERS

router = APIRouter(prefix="/api/logs", tags=["logs"])


@router.get("/stream", response_class=StreamingResponse)
async def stream_many(
    logs: LogsHere,
    run_id: Annotated[
        list[str], Query(min_length=1, max_length=log_merge.MOST_RUNS, description="may repeat")
    ],
    since: Annotated[
        str | None,
        Query(
            max_length=5_000,
            pattern=f"^{log_merge.SINCE}$",
            description="where to begin, as the id of an event says it: `attempt:offset` for each run, in their order; "
            "attempt 0 is the newest",
        ),
    ] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Stream the logs of many runs as one, so that a page needs one connection for all of them.

    Events are `log`, `gap` and `end` as in the stream of one log, with `run_id` and `attempt` in their data, and the
    run itself as `run` in `end`; `missing` stands for a run or an attempt that is not known. The id of each names how
    far all the logs were read, so `Last-Event-ID` resumes them all. The stream closes when all attempts are over.
    """
    marks = log_merge.marks(last_event_id or since, len(run_id))
    events = log_merge.stream(logs, run_id, marks)
    return StreamingResponse(events, media_type="text/event-stream", headers=STREAM_HEADERS)
