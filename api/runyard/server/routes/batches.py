"""Batches: submit, add to, close, list, show, cancel, retry what failed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse

from runyard.advice import advice_of
from runyard.server.batch_body import AdditionBody, BatchBody, check, check_addition
from runyard.server.context import Context, Here
from runyard.server.models import Batch, BatchAccepted, BatchAdvice, BatchPage
from runyard.server.notice import tells
from runyard.server.paging import Page
from runyard.server.resolve import Resolver, digest
from runyard.server.routes.runs import IdempotencyKey
from runyard.server.schemas import BatchEditIn, CancelIn
from runyard.server.strict_json import StrictRoute
from runyard_actors.ids import is_id
from runyard_actors.manager.messages import Accepted, BatchEdit, Submission
from runyard_actors.run import RunId, Status
from runyard_cluster.errors import NotFoundError
from runyard_cluster.settings import ModuleSettings

router = APIRouter(prefix="/api/batches", tags=["batches"], route_class=StrictRoute)

BatchId = Annotated[str, Path(description="the batch's id")]

#: Modules of a batch that are looked at for advice: more lines than that nobody reads.
ADVISED_MODULES = 20


@router.post("", status_code=202, response_model=BatchAccepted)
async def submit(
    here: Here, request: Request, batch: BatchBody, idempotency_key: IdempotencyKey = None
) -> Any:
    """Submit runs together: all are accepted, durably, or none is. The errors name every bad run's index."""
    mark = digest(request.url.path, await request.body())
    resolver = await here.resolver()
    submission = await asyncio.to_thread(_submission, resolver, batch, idempotency_key, mark)
    accepted = await here.manager.submit(submission)
    assert accepted.batch_id is not None
    runs = [{**run, "batch_index": index} for index, run in enumerate(await _accepted_runs(here, accepted))]
    shown = await _with_tells(here, await one(here, accepted.batch_id))
    # All of it is ours, so 10,000 runs go out as they are; a test holds the answer against the documented model.
    return JSONResponse({**shown, "runs": runs}, 202)


@router.post("/{batch_id}/runs", status_code=202, response_model=BatchAccepted)
async def add(
    here: Here,
    request: Request,
    batch_id: BatchId,
    runs: AdditionBody,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Add runs to an open batch: all are accepted, durably, or none is. A closed batch takes none."""
    await one(here, batch_id)
    mark = digest(request.url.path, await request.body())
    resolver = await here.resolver()
    submission = await asyncio.to_thread(_addition, resolver, runs, batch_id, idempotency_key, mark)
    accepted = await here.manager.submit(submission)
    return {**await one(here, batch_id), "runs": await _added_runs(here, accepted)}


@router.post("/{batch_id}/close", response_model=Batch)
async def close(here: Here, batch_id: BatchId) -> Any:
    """Have an open batch take no more runs, for ever; it has ended once all its runs have."""
    await one(here, batch_id)
    await here.manager.close_batch(batch_id)
    return await one(here, batch_id)


@router.get("", response_model=BatchPage)
async def list_batches(here: Here, page: Annotated[Page, Query()]) -> Any:
    """List batches, newest first."""
    batches, total = await asyncio.to_thread(here.reader.batches, page.limit, page.offset)
    return {"batches": batches, "total": total, "limit": page.limit, "offset": page.offset}


@router.get("/{batch_id}", response_model=Batch)
async def show(here: Here, batch_id: BatchId) -> Any:
    """Show one batch: counts by status, progress, estimated seconds to its end."""
    return await _with_tells(here, await _with_eta(here, await one(here, batch_id)))


@router.get("/{batch_id}/advice", response_model=BatchAdvice)
async def advice(here: Here, batch_id: BatchId) -> Any:
    """Say what modules of the batch could ask for instead, one advice for a module at most."""
    await one(here, batch_id)
    return {"advice": await asyncio.to_thread(_advice, here, await here.modules(), batch_id)}


@router.post("/{batch_id}/cancel", response_model=Batch)
async def cancel(here: Here, batch_id: BatchId, body: CancelIn | None = None) -> Any:
    """Cancel all runs of the batch that have not ended."""
    await one(here, batch_id)
    await here.manager.cancel_batch(batch_id, body.reason if body else None)
    return await one(here, batch_id)


@router.patch("/{batch_id}", response_model=Batch)
async def edit(here: Here, batch_id: BatchId, body: BatchEditIn) -> Any:
    """Change how many runs of the batch run at once, and the priority of those that have not started."""
    await one(here, batch_id)
    what = BatchEdit(
        has_limit="max_concurrent" in body.model_fields_set,
        max_concurrent=body.max_concurrent,
        priority=body.priority,
    )
    await here.manager.edit_batch(batch_id, what)
    return await one(here, batch_id)


@router.post("/{batch_id}/hold", response_model=Batch)
async def hold(here: Here, batch_id: BatchId) -> Any:
    """Keep all runs of the batch that have not started from starting, until they are released."""
    await one(here, batch_id)
    await here.manager.hold_batch(batch_id)
    return await one(here, batch_id)


@router.post("/{batch_id}/release", response_model=Batch)
async def release(here: Here, batch_id: BatchId) -> Any:
    """Let all held runs of the batch start."""
    await one(here, batch_id)
    await here.manager.release_batch(batch_id)
    return await one(here, batch_id)


@router.post("/{batch_id}/retry-failed", status_code=202, response_model=BatchAccepted)
async def retry_failed(
    here: Here, request: Request, batch_id: BatchId, idempotency_key: IdempotencyKey = None
) -> Any:
    """Submit the failed runs again, as new runs of the same batch."""
    await one(here, batch_id)
    mark = digest(request.url.path, await request.body())
    accepted = await here.manager.retry_failed(batch_id, idempotency_key, mark)
    return {**await one(here, batch_id), "runs": await _accepted_runs(here, accepted)}


async def _accepted_runs(here: Context, accepted: Accepted) -> list[dict[str, Any]]:
    """Return the runs of an answer, in order. Those of an earlier one may be anywhere by now, and say so."""
    ids = accepted.run_ids
    known = await asyncio.to_thread(here.reader.statuses, ids) if accepted.is_repeat else {}
    return [{"run_id": run_id, "status": known.get(RunId(run_id), Status.QUEUED)} for run_id in ids]


async def _added_runs(here: Context, accepted: Accepted) -> list[dict[str, Any]]:
    runs = await _accepted_runs(here, accepted)
    if accepted.first_index is not None:
        return [{**run, "batch_index": index} for index, run in enumerate(runs, start=accepted.first_index)]
    known = await asyncio.to_thread(here.reader.runs_by_id, accepted.run_ids)
    return [{**run, "batch_index": known[run["run_id"]]["batch_index"]} for run in runs]


def _addition(resolver: Resolver, body: Any, batch_id: str, key: str | None, mark: str) -> Submission:
    return resolver.addition(check_addition(body), batch_id, key=key, digest=mark)


def _submission(resolver: Resolver, body: Any, key: str | None, mark: str) -> Submission:
    return resolver.batch(check(body), key=key, digest=mark)


def _advice(here: Context, registry: Mapping[str, ModuleSettings], batch_id: str) -> list[dict[str, Any]]:
    found = (
        (m, advice_of(registry.get(m), here.recent.runs(m), here.settings, here.capacity))
        for m in here.reader.modules_of_batch(batch_id, ADVISED_MODULES)
    )
    return [{"module_id": module_id, **advice[0]} for module_id, advice in found if advice]


async def _with_tells(here: Context, batch: dict[str, Any]) -> dict[str, Any]:
    return {**batch, "tells": await tells.of_batch(here, batch["batch_id"])}


async def _with_eta(here: Context, batch: dict[str, Any]) -> dict[str, Any]:
    """Before any of its runs ended a batch has no pace to go by; then what its modules took before may tell."""
    counts = batch["counts"]
    left = counts[Status.QUEUED] + counts[Status.RUNNING]
    if batch["eta_seconds"] is None and left and here.current_manager:
        end = await here.current_manager.expected_end(batch["batch_id"])
        if end is not None and end.runs == left:
            batch["eta_seconds"] = max(0.0, end.at / 1_000_000 - time.time())
    return batch


async def one(here: Context, batch_id: str) -> dict[str, Any]:
    """Return the batch. Raises NotFoundError."""
    batch = await asyncio.to_thread(here.reader.batch, batch_id) if is_id(batch_id) else None
    if batch is None:
        raise NotFoundError(f"no batch {batch_id[:64]} is known")
    return batch
