"""Suspend and resume: a running run is held still by its shim, and goes on; its slot and resources stay its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.yard import Yard
from runyard_actors.run import RunId, Status
from runyard_actors.store.changes import Change, RunResumed, RunSuspended
from runyard_actors.store.errors import StoreUnavailable
from runyard_actors.suspending import ACT_SECONDS, LOOK_SECONDS, hold_still
from runyard_cluster.errors import ConflictError, NotFoundError


async def suspend(yard: Yard, run_ids: Sequence[RunId]) -> None:
    """Hold runs still; repeating it is no error. Raises NotFoundError and ConflictError, with nothing done then."""
    await _ask(yard, run_ids, "suspended")


async def resume(yard: Yard, run_ids: Sequence[RunId]) -> None:
    """Let runs go on; for one that is not held still, nothing is done. Raises NotFoundError and ConflictError."""
    await _ask(yard, run_ids, "resumed")


async def note(yard: Yard, attempts: Sequence[ActiveRun]) -> None:
    """Record which attempts are held still by now, whoever asked for it. Raises StoreUnavailable.

    Of those on other nodes it is recorded when they are asked.
    """
    async with yard.noting_suspensions:
        here = [attempt for attempt in attempts if yard.other(attempt) is None]
        await _record(yard, await asyncio.to_thread(_suspended_since, here))


async def follow(yard: Yard, attempts: Sequence[ActiveRun]) -> None:
    """As `note`; what the store cannot take now is noted later."""
    try:
        await note(yard, attempts)
    except StoreUnavailable as error:
        yard.on_storage_fault(str(error))
        yard.spawn(yard.write_surely([]), "wait for the store")


async def _ask(yard: Yard, run_ids: Sequence[RunId], what: str) -> None:
    attempts = [await _running(yard, run_id, what) for run_id in run_ids]
    is_suspended = what == "suspended"
    here = [attempt.folder for attempt in attempts if yard.other(attempt) is None]
    try:
        await asyncio.to_thread(hold_still, here, is_suspended=is_suspended)
    except OSError as error:
        raise ConflictError(f"they cannot be {what}: {error.filename}: {error.strerror}") from error
    await note(yard, attempts)
    for attempt in attempts:
        if node := yard.other(attempt):
            (since,) = await node.line.ask("suspend", [attempt.key], is_suspended)
            async with yard.noting_suspensions:
                await _record(yard, [(attempt, since)])


async def _record(yard: Yard, since: Sequence[tuple[ActiveRun, int | None]]) -> None:
    changes = [_change(a, at) for a, at in since if a.is_suspended != (at is not None)]
    if changes:
        await yard.write(changes)
    for attempt, at in since:
        attempt.is_suspended = at is not None


async def _running(yard: Yard, run_id: RunId, what: str) -> ActiveRun:
    attempt = yard.active.get(run_id)
    if attempt is not None and attempt.cancel is not None:
        raise ConflictError(f"run {run_id} is being stopped, so it cannot be {what}")
    if attempt is not None and await _has_started(yard, attempt):
        return attempt
    status = await asyncio.to_thread(yard.reader.status, run_id)
    if status is None:
        raise NotFoundError(f"no run {run_id} is known")
    if Status(status).is_ended:
        raise ConflictError(f"run {run_id} has ended already: {status}")
    raise ConflictError(f"run {run_id} has not started yet; only a running run can be {what}")


async def _has_started(yard: Yard, attempt: ActiveRun) -> bool:
    """Its process may run, and print already, a moment before its lease has told so."""
    until = time.monotonic() + ACT_SECONDS
    while not attempt.is_started and time.monotonic() < until:
        if yard.other(attempt) or not await asyncio.to_thread(attempt.folder.is_alive):
            break
        await asyncio.sleep(LOOK_SECONDS)
    return attempt.is_started


def _suspended_since(attempts: Sequence[ActiveRun]) -> list[tuple[ActiveRun, int | None]]:
    return [(attempt, attempt.folder.suspended_at()) for attempt in attempts]


def _change(attempt: ActiveRun, at: int | None) -> Change:
    if at is None:
        now = time.time_ns() // 1000
        return RunResumed(run_id=attempt.run_id, attempt=attempt.attempt, at=now)
    return RunSuspended(run_id=attempt.run_id, attempt=attempt.attempt, at=at)
