"""Runs: submit, list, show, cancel, restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from runyard.server.context import Context, Here
from runyard.server.models import Attempt, Run, RunPage
from runyard.server.notice import tells
from runyard.server.paging import Paging
from runyard.server.resolve import digest
from runyard.server.restart import restarted
from runyard.server.schemas import CancelIn, RestartIn, RunEditIn, SubmitIn
from runyard.server.strict_json import StrictRoute
from runyard_actors.ids import is_id
from runyard_actors.learning.duration import usual_seconds
from runyard_actors.manager.messages import Accepted, Submission
from runyard_actors.manager.origins import OriginPlace
from runyard_actors.run import RunSpec, Status
from runyard_actors.store.present import accepted_json, rfc3339
from runyard_actors.store.records import RunFilter
from runyard_cluster.errors import ConflictError, NotFoundError
from runyard_cluster.failpoint import hit
from runyard_cluster.origin.origin import Origin, changes

router = APIRouter(prefix="/api/runs", tags=["runs"], route_class=StrictRoute)

RunId = Annotated[str, Path(description="the run's id")]
IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=255, description="the same key with the same body gives the same answer"),
]


@router.post("", status_code=202, response_model=Run)
async def submit(here: Here, request: Request, run: SubmitIn, idempotency_key: IdempotencyKey = None) -> Any:
    """Submit one run; the answer is durable."""
    mark = digest(request.url.path, await request.body())
    resolver = await here.resolver()
    if resolver.has_to_look(run):
        submission = await asyncio.to_thread(resolver.single, run, key=idempotency_key, digest=mark)
    else:
        submission = resolver.single(run, key=idempotency_key, digest=mark)
    accepted = await here.manager.submit(submission)
    hit("submit.before_answer")
    return await _answer(here, submission, accepted)


@router.get("", response_model=RunPage)
async def list_runs(
    here: Here,
    paging: Annotated[Paging, Query()],
) -> Any:
    """List runs, newest first."""
    run_filter = RunFilter(
        statuses=tuple(paging.status or ()),
        run_ids=tuple(paging.run_id or ()),
        module_id=paging.module_id,
        batch_id=paging.batch_id,
        label=paging.label,
        text=paging.q,
        since=paging.since_us,
        until=paging.until_us,
        shortest=paging.shortest_us,
        longest=paging.longest_us,
        exit_codes=tuple(paging.exit_code or ()),
        sort=paging.sort,
    )
    runs, total = await asyncio.to_thread(here.reader.runs, run_filter, paging.limit, paging.offset)
    await _add_what_only_the_server_knows(here, runs)
    return {"runs": runs, "total": total, "limit": paging.limit, "offset": paging.offset}


@router.get("/{run_id}", response_model=Run)
async def show(here: Here, run_id: RunId) -> Any:
    """Show one run."""
    return await _one(here, run_id)


@router.get("/{run_id}/attempts", response_model=list[Attempt])
async def attempts(here: Here, run_id: RunId) -> Any:
    """List the attempts of a run, the first one first."""
    await _one(here, run_id)
    return await asyncio.to_thread(here.reader.attempts, run_id)


@router.post("/{run_id}/cancel", response_model=Run)
async def cancel(here: Here, run_id: RunId, body: CancelIn | None = None) -> Any:
    """Cancel a run: a queued one never starts, a running one is stopped. Repeating it is no error."""
    _refuse_no_id(run_id)
    answer = await here.manager.cancel([run_id], body.reason if body else None)
    run = await _one(here, run_id)
    if answer.ended and run["status"] != Status.CANCELLED:
        raise ConflictError(f"run {run_id} has ended already: {run['status']}")
    return run


@router.post("/{run_id}/suspend", response_model=Run)
async def suspend(here: Here, run_id: RunId) -> Any:
    """Hold a running run's processes still. It stays running and keeps slot and resources. Repeating it is no error."""
    await _one(here, run_id)
    await here.manager.suspend([run_id])
    return await _one(here, run_id)


@router.post("/{run_id}/resume", response_model=Run)
async def resume(here: Here, run_id: RunId) -> Any:
    """Let a run go on that was suspended. Repeating it is no error."""
    await _one(here, run_id)
    await here.manager.resume_runs([run_id])
    return await _one(here, run_id)


@router.patch("/{run_id}", response_model=Run)
async def edit(here: Here, run_id: RunId, body: RunEditIn) -> Any:
    """Give a run that has not ended another priority. A running one has it when it is queued again."""
    _refuse_no_id(run_id)
    await here.manager.edit_run(run_id, body.priority)
    return await _one(here, run_id)


@router.post("/{run_id}/hold", response_model=Run)
async def hold(here: Here, run_id: RunId) -> Any:
    """Keep a queued run from starting until it is released. Repeating it is no error; a run that started is a 409."""
    _refuse_no_id(run_id)
    await here.manager.hold([run_id])
    return await _one(here, run_id)


@router.post("/{run_id}/release", response_model=Run)
async def release(here: Here, run_id: RunId) -> Any:
    """Let a held run start. For a queued run that is not held, nothing is done; a run that started is a 409."""
    _refuse_no_id(run_id)
    await here.manager.release([run_id])
    return await _one(here, run_id)


@router.post("/{run_id}/restart", status_code=202, response_model=Run)
async def restart(
    here: Here,
    request: Request,
    run_id: RunId,
    body: RestartIn | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Submit a run again as a new run, with edits if given."""
    _refuse_no_id(run_id)
    spec = await asyncio.to_thread(here.reader.spec, run_id)
    if spec is None:
        raise _not_known(run_id)
    mark = digest(request.url.path, await request.body())
    again = await asyncio.to_thread(restarted, spec, body or RestartIn(), here)
    submission = replace(again, idempotency_key=idempotency_key, digest=mark)
    accepted = await here.manager.submit(submission)
    changed = await asyncio.to_thread(_changed, here, spec, submission) if not accepted.is_repeat else None
    return await _answer(here, submission, accepted, changed)


def _changed(here: Context, before: RunSpec, again: Submission) -> list[str] | None:
    """Say what changed of the code since the run that is submitted again came to start, as far as that is known."""
    origin = here.reader.origins([before.run_id]).get(before.run_id)
    if origin is None:
        return None
    now = here.origins.find(*OriginPlace.of(again.runs[0]))
    run = here.reader.run(before.run_id)
    if run is None or run["node"] != here.capacity.node:
        # Nobody knows where it starts now, and two nodes have two interpreters.
        now = Origin(commit=now.commit, dirty=now.dirty)
    return changes(origin, now)


async def _answer(
    here: Context, submission: Submission, accepted: Accepted, changed: list[str] | None = None
) -> Response:
    """Return the run that was accepted: as it was at that moment, or, of a repeat, as it is now.

    It is ours to the last field, so it goes out as it is; a test holds it against the documented model.
    """
    if accepted.is_repeat:
        run = await _one(here, accepted.run_ids[0])
    else:
        run = accepted_json(submission.runs[0], accepted.created_at)
        run |= {"waiting_for": accepted.waiting_for, "ray_log_url": None, "code_changed": changed}
        run["tells"] = await tells.of_run(here, run)
    return JSONResponse(run, 202)


async def _one(here: Context, run_id: str) -> dict[str, Any]:
    _refuse_no_id(run_id)
    run = await asyncio.to_thread(here.reader.shown, run_id)
    if run is None:
        raise _not_known(run_id)
    await _add_what_only_the_server_knows(here, [run])
    run["tells"] = await tells.of_run(here, run)
    return run


def _refuse_no_id(text: str) -> None:
    """Raise NotFoundError for what no run can have as its id: it is not even looked for."""
    if not is_id(text):
        raise _not_known(text)


def _not_known(run_id: str) -> NotFoundError:
    return NotFoundError(f"no run {run_id[:64]} is known")


async def _add_what_only_the_server_knows(here: Context, runs: list[dict[str, Any]]) -> None:
    for run in runs:
        run["ray_log_url"] = here.log_links.of_run(run) if here.log_links else None
    queued = [r["run_id"] for r in runs if r["status"] == Status.QUEUED]
    if queued and here.current_manager:
        words, starts = await asyncio.gather(
            here.current_manager.waiting_for(queued), here.current_manager.expected_starts(queued)
        )
        expected = {run["module_id"] for run in runs if run["run_id"] in starts}
        usual = await asyncio.to_thread(_usual_seconds, here, expected) if expected else {}
        for run in runs:
            run["waiting_for"] = words.get(run["run_id"])
            if at := starts.get(run["run_id"]):
                run |= {"expected_start": rfc3339(at), "expected_seconds": usual[run["module_id"]]}


def _usual_seconds(here: Context, modules: Iterable[str]) -> dict[str, float | None]:
    return {module_id: usual_seconds(here.recent.runs(module_id)) for module_id in modules}
