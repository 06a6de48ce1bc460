"""Searching the logs of all runs of a batch: which of them say so, how often, and where first."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from runyard.server.logs import Logs
from runyard_actors import log_file
from runyard_actors.log_search import SEARCH_SECONDS, Query
from runyard_cluster.errors import NotFoundError

#: Runs that are listed; a person looks at no more, and all are counted.
MOST_RUNS = 1_000


async def search(
    logs: Logs, run_ids: Sequence[str], query: Query, has_left: Callable[[], Awaitable[bool]]
) -> dict[str, Any]:
    """Search the newest attempt's log of each run, in their order, for as long as there is time for all of it.

    Raises InvalidRequestError for a pattern that is wrong, and UnavailableError when it is given up.
    """
    until = time.monotonic() + SEARCH_SECONDS
    found: list[dict[str, Any]] = []
    searched, count, is_complete = 0, 0, True
    for index, run_id in enumerate(run_ids):
        left = until - time.monotonic()
        if left <= 0:
            break
        one = await _one(logs, run_id, query, has_left, left)
        searched += 1
        is_complete = is_complete and one["complete"]
        count += one["count"]
        if one["count"] and len(found) < MOST_RUNS:
            found.append({"run_id": run_id, "batch_index": index, **one})
    return {
        "count": count,
        "runs": found,
        "searched": searched,
        "total": len(run_ids),
        "complete": is_complete and searched == len(run_ids),
    }


async def _one(
    logs: Logs, run_id: str, query: Query, has_left: Callable[[], Awaitable[bool]], seconds: float
) -> dict[str, Any]:
    nothing = {"attempt": 1, "count": 0, "hits": (), "complete": True}
    try:
        place = await logs.place(run_id, None)
    except NotFoundError:
        return nothing  # Removed meanwhile, with its log.
    if not log_file.size(place.log.path):
        return nothing
    result = await logs.search(place.log, query, has_left, seconds)
    return {
        "attempt": place.attempt.attempt,
        "count": result.count,
        "hits": result.hits,
        "complete": result.is_complete,
    }
