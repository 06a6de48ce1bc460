"""Submit: refuse what can never work, commit, and only then queue."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.admitting import OnItsWay
from runyard_actors.manager.at_once import start_at_once, take_back
from runyard_actors.manager.batches import known_batches
from runyard_actors.manager.circles import refuse_circles
from runyard_actors.manager.messages import Accepted, Submission
from runyard_actors.manager.queued_run import queued_run
from runyard_actors.manager.start import begin, starting
from runyard_actors.manager.view import waiting_for
from runyard_actors.manager.yard import Yard
from runyard_actors.request import Request
from runyard_actors.store.changes import Idempotency, RunsSubmitted
from runyard_cluster.errors import (
    ConcurrencyLimitError,
    ConflictError,
    InvalidRequestError,
    ResourceLimitError,
    RunyardError,
    UnavailableError,
)
from runyard_cluster.failpoint import hit


async def submit(yard: Yard, submission: Submission) -> Accepted:
    """Accept all runs of the submission, durably, or none of them.

    Nothing is read first: a repeat is seen by what refuses it. Whatever that is, the earlier answer holds.
    Raises ResourceLimitError, ConcurrencyLimitError, ConflictError, InvalidRequestError, UnavailableError.
    """
    try:
        await _refuse(yard, submission)
        # Those being committed count as taken, or two submits at once could both get the last slot.
        with yard.admitting.on_its_way(submission) as way:
            return await _commit(yard, submission, way)
    except UnavailableError:
        raise
    except RunyardError:
        if earlier := await _earlier_answer(yard, submission):
            return earlier
        raise


async def _refuse(yard: Yard, submission: Submission) -> None:
    if not yard.is_cluster_known.is_set() and any(_never_fits(yard, s.request) for s in submission.runs):
        # It may be meant for a node that a manager which has just started is about to take in.
        await yard.is_cluster_known.wait()
    _refuse_what_never_fits(yard, submission)
    if any(spec.after or spec.terms for spec in submission.runs):
        await _refuse_unknown_dependencies(yard, submission)
    _refuse_when_full(yard, submission)


async def _commit(yard: Yard, submission: Submission, way: OnItsWay) -> Accepted:
    if submission.batch and submission.is_addition:
        submission = replace(submission, runs=yard.batches.placed(submission.batch, submission.runs))
    now = time.time_ns() // 1000
    hit("submit.before_commit")
    change = _change(submission, now)
    if attempt := start_at_once(yard, submission):
        way.is_counted = True
        await _commit_with_start(yard, change, attempt)
    else:
        await yard.write([change])
        hit("submit.after_commit")
        _enqueue(yard, submission, now)
    ids = tuple(run.run_id for run in submission.runs)
    words = waiting_for(yard, ids).get(ids[0]) if submission.batch is None else None
    return Accepted(
        run_ids=ids,
        batch_id=_batch_id(submission),
        created_at=now,
        waiting_for=words,
        first_index=submission.runs[0].batch_index if ids else None,
    )


async def _commit_with_start(yard: Yard, change: RunsSubmitted, attempt: ActiveRun) -> None:
    try:
        hit("start.before_commit")
        await yard.write([change, starting(yard, attempt)])
    except Exception:
        # Whatever it was: nothing is on disk, so nothing may be held for it.
        take_back(yard, attempt)
        raise
    hit("submit.after_commit")
    begin(yard, [attempt])


def _change(submission: Submission, now: int) -> RunsSubmitted:
    key = submission.idempotency_key
    idempotency = Idempotency(key=key, digest=submission.digest or "") if key else None
    return RunsSubmitted(
        batch=submission.batch, specs=submission.runs, created_at=now, idempotency=idempotency
    )


def _enqueue(yard: Yard, submission: Submission, now: int) -> None:
    for spec in submission.runs:
        if spec.max_concurrent is not None:
            yard.core.set_module_limit(spec.module_id, spec.max_concurrent)
    batch = submission.batch
    if batch and batch.is_open and not submission.is_addition:
        yard.batches.on_open(batch.batch_id, len(submission.runs))
    queued = [queued_run(spec, now) for spec in submission.runs]
    yard.core.on_submitted(queued, None if submission.is_addition else batch)
    yard.specs.keep_if_few(submission.runs)
    yard.pump()


async def answer_to_key(yard: Yard, key: str | None, digest: str | None) -> Accepted | None:
    """Return what was answered to that key before, or None. Raises ConflictError if it was another request."""
    known = await asyncio.to_thread(yard.reader.idempotent_answer, key) if key else None
    if known is None:
        return None
    if known.digest != (digest or ""):
        raise ConflictError(f"the idempotency key {key!r} was used before with another request")
    return Accepted(run_ids=known.run_ids, batch_id=known.batch_id, is_repeat=True)


async def _earlier_answer(yard: Yard, submission: Submission) -> Accepted | None:
    if earlier := await answer_to_key(yard, submission.idempotency_key, submission.digest):
        return earlier
    if await asyncio.to_thread(yard.reader.status, submission.runs[0].run_id) is not None:
        ids = tuple(r.run_id for r in submission.runs)
        return Accepted(run_ids=ids, batch_id=_batch_id(submission), is_repeat=True)
    return None


def _refuse_what_never_fits(yard: Yard, submission: Submission) -> None:
    verdicts = {spec.request: _never_fits(yard, spec.request) for spec in submission.runs}
    bad = [(i, why) for i, spec in enumerate(submission.runs) if (why := verdicts[spec.request])]
    if bad:
        raise ResourceLimitError(
            _places(bad, submission), [{"index": i, "field": "request", "message": why} for i, why in bad]
        )


def _never_fits(yard: Yard, request: Request) -> str | None:
    """Say why a request can never be held. Of a node that is known and not up nobody knows; what wants it waits."""
    node = yard.others.get(request.node)
    return None if node and not yard.core.has_node(request.node) else yard.core.can_ever_fit(request)


def _places(bad: list[tuple[int, str]], submission: Submission) -> str:
    if submission.batch is None:
        return bad[0][1]
    indexes = ", ".join(str(i) for i, _ in bad[:20]) + (", …" if len(bad) > 20 else "")
    return f"runs {indexes} can never run here: {bad[0][1]}"


def _refuse_when_full(yard: Yard, submission: Submission) -> None:
    if (submission.when_full or yard.settings.when_full) != "reject":
        return
    counts, limit = yard.core.counts(), yard.settings.max_concurrent_runs
    taken = counts.active + counts.queued + yard.admitting.runs
    if taken + len(submission.runs) > limit:
        raise ConcurrencyLimitError(f"Max concurrent runs ({limit}) reached")


async def _refuse_unknown_dependencies(yard: Yard, submission: Submission) -> None:
    own = {spec.run_id for spec in submission.runs}
    outside = {d for spec in submission.runs for d in spec.comes_after} - own
    statuses = {d: await asyncio.to_thread(yard.reader.status, d) for d in sorted(outside)}
    unknown = {d for d, status in statuses.items() if status is None}
    unknown -= await known_batches(yard, sorted(unknown))
    bad = [
        {"index": i, "field": "after", "message": f"no run {d} is known"}
        for i, spec in enumerate(submission.runs)
        for d in spec.comes_after
        if d in unknown
    ]
    if bad:
        raise InvalidRequestError("; ".join(str(b["message"]) for b in bad[:5]), bad)
    for run_id, status in statuses.items():
        if status is not None and status.is_ended:
            yard.core.on_dependency_state(run_id, succeeded=status == "completed")
    refuse_circles(yard, submission)


def _batch_id(submission: Submission) -> str | None:
    return submission.batch.batch_id if submission.batch else None
