"""Search of all logs of a batch."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from runyard.server import batch_search
from runyard.server.context import Here
from runyard.server.log_models import BatchLogSearch, BatchSearchIn
from runyard.server.logs import LogsHere
from runyard.server.routes.batches import BatchId, one
from runyard_actors import log_search

router = APIRouter(prefix="/api/batches", tags=["logs"])


@router.get("/{batch_id}/log/search", response_model=BatchLogSearch)
async def search_batch(
    here: Here, logs: LogsHere, request: Request, batch_id: BatchId, asked: Annotated[BatchSearchIn, Query()]
) -> Any:
    """Search the newest log of each run: count all occurrences, and list the runs that have any with their first ones.

    After 20 seconds it answers with what it found by then; `searched` tells of how many runs.
    """
    await one(here, batch_id)
    run_ids = await asyncio.to_thread(here.reader.batch_run_ids, batch_id)
    query = log_search.Query(
        text=asked.q, is_regex=asked.regex, ignore_case=asked.ignore_case, limit=asked.limit
    )
    return await batch_search.search(logs, run_ids, query, request.is_disconnected)
