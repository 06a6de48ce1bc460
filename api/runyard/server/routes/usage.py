"""Usage of one run over time."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query

from runyard.server.logs import LogsHere
from runyard.server.routes.runs import RunId
from runyard.server.strict_json import StrictRoute
from runyard.server.usage_models import RunTimeline
from runyard_actors import timeline
from runyard_actors.timeline import Limits, Timeline

router = APIRouter(prefix="/api/runs", tags=["runs"], route_class=StrictRoute)

#: What an attempt shows that was never looked at.
_NOTHING = Timeline(began=0, interval_seconds=1, limits=Limits(), samples=())


@router.get("/{run_id}/usage", response_model=RunTimeline)
async def usage(
    logs: LogsHere,
    run_id: RunId,
    attempt: Annotated[int | None, Query(ge=1, le=10_000, description="the newest if left out")] = None,
) -> Any:
    """Show what an attempt used over time: a sample a second at first, fewer as it gets older, 3,000 at most."""
    place = await logs.place(run_id, attempt)
    known = await asyncio.to_thread(timeline.read, place.attempt.folder.usage_file)
    return {"run_id": run_id, "attempt": place.attempt.attempt, **_columns(known or _NOTHING)}


def _columns(found: Timeline) -> dict[str, Any]:
    limits = found.limits
    return {
        "interval_seconds": found.interval_seconds,
        "at": [round(s.at, 1) for s in found.samples],
        "cpu_percent": [round(s.cpu_percent, 1) for s in found.samples],
        "memory": [s.memory for s in found.samples],
        "gpu_memory": [s.gpu_memory for s in found.samples],
        "gpu_percent": [None if s.gpu_percent is None else round(s.gpu_percent, 1) for s in found.samples],
        "limits": {
            "cpu_percent": limits.cpu_milli / 10 or None,
            "memory": limits.memory_bytes or None,
            "gpu_memory": limits.gpu_memory_bytes or None,
        },
    }
