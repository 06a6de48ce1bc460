"""What is shown of a batch as a whole: a square for each run, and its failures in groups."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from fastapi import APIRouter

from runyard.server import failures
from runyard.server.context import Context, Here
from runyard.server.models import BatchFailures, BatchSquares
from runyard.server.routes.batches import BatchId, one
from runyard.server.strict_json import StrictRoute

router = APIRouter(prefix="/api/batches", tags=["batches"], route_class=StrictRoute)


@router.get("/{batch_id}/squares", response_model=BatchSquares)
async def squares(here: Here, batch_id: BatchId) -> Any:
    """List the runs of a batch by id, name and status alone, so that ten thousand are one small answer."""
    await one(here, batch_id)
    return await asyncio.to_thread(_squares, here, batch_id)


@router.get("/{batch_id}/failures", response_model=BatchFailures)
async def failed(here: Here, batch_id: BatchId) -> Any:
    """Group the failed runs of a batch by their reason and the last line of their logs."""
    await one(here, batch_id)
    return {"groups": await asyncio.to_thread(_failures, here, batch_id)}


def _squares(here: Context, batch_id: str) -> dict[str, list[Any]]:
    runs = here.reader.batch_squares(batch_id)
    places: dict[str, int] = {}
    return {
        "run_ids": [run_id for run_id, _, _ in runs],
        "statuses": [status for _, _, status in runs],
        "name_of": [places.setdefault(name, len(places)) for _, name, _ in runs],
        "names": list(places),
    }


def _failures(here: Context, batch_id: str) -> list[dict[str, Any]]:
    return failures.groups(
        here.reader.batch_failures(batch_id), partial(failures.last_line, here.data_dir.runs)
    )
