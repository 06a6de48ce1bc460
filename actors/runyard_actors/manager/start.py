"""Start: commit the attempt, take its lease, and see the attempt through to its end."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from runyard_actors.assignment import Assignment, Started
from runyard_actors.contact import contact_seconds
from runyard_actors.ending import outcome_of
from runyard_actors.manager import gpu_limit
from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.bring import bring_all
from runyard_actors.manager.end import finish
from runyard_actors.manager.note_origin import known_origin, note_origins
from runyard_actors.manager.other_node import OtherNode
from runyard_actors.manager.ship import ship_code
from runyard_actors.manager.yard import Yard
from runyard_actors.run import Outcome, Reason, RunId, RunSpec
from runyard_actors.scheduling.decision import Start
from runyard_actors.store.changes import AttemptStarted, AttemptStarting, RunDropped
from runyard_actors.store.errors import StoreUnavailable
from runyard_cluster.durations import format_duration
from runyard_cluster.failpoint import hit
from runyard_cluster.gpu import Gpu


def start(yard: Yard, starts: Sequence[Start]) -> Awaitable[None]:
    """Carry out start decisions: each attempt is committed before anything of it exists.

    The attempts are registered before this returns: a cancel that comes next finds each run queued or active. Where
    nothing has to be read first they stand in line for the disk, too: behind the end that made room for them, with
    which they share a commit.
    """
    attempts = [register(yard, decision) for decision in starts]
    specs = yard.specs.at_hand([a.run_id for a in attempts])
    return _start(yard, attempts, _committed(yard, attempts, specs) if specs else None)


async def _start(yard: Yard, attempts: Sequence[ActiveRun], committed: Awaitable[None] | None) -> None:
    try:
        if committed is None:
            committed = _committed(yard, attempts, await yard.specs.take([a.run_id for a in attempts]))
        await committed
    except StoreUnavailable as error:
        _withdraw(yard, attempts, str(error))
        return
    begin(yard, attempts)


def begin(yard: Yard, attempts: Sequence[ActiveRun]) -> None:
    """See attempts through whose start was committed."""
    hit("start.after_commit")
    for attempt in attempts:
        yard.spawn(see_through(yard, attempt), f"run {attempt.run_id}")
    note_origins(yard, attempts)


def _committed(yard: Yard, attempts: Sequence[ActiveRun], specs: Mapping[RunId, RunSpec]) -> Awaitable[None]:
    for attempt in attempts:
        attempt.spec = specs[attempt.run_id]
    hit("start.before_commit")
    return yard.write([starting(yard, a) for a in attempts])


async def see_through(yard: Yard, attempt: ActiveRun) -> None:
    """Take a lease for the attempt, and have the agent of its node keep it until it ended."""
    node = yard.other(attempt)
    if node is None and attempt.cancel and not attempt.is_started:
        attempt.folder.never_start(attempt.cancel.reason, attempt.cancel.detail)
    try:
        outcome = await (_kept_here(yard, attempt) if node is None else _kept_there(yard, attempt, node))
    finally:
        yard.leases.give_back(attempt)
    await finish(yard, attempt, outcome)


async def _kept_here(yard: Yard, attempt: ActiveRun) -> Outcome:
    await yard.leases.take(attempt)
    gpus = yard.capacity.gpus
    assignment = _assignment(yard, attempt, gpus, is_new=not attempt.is_adopted)
    return await yard.agent.keep(assignment, partial(on_started, yard))


async def _kept_there(yard: Yard, attempt: ActiveRun, node: OtherNode) -> Outcome:
    outcome = await node.unless_lost(_kept_by(yard, attempt, node))
    if outcome is None:
        detail = f"nothing was heard of {node.name} for {format_duration(yard.settings.node_timeout)}"
        return outcome_of(Reason.NODE_LOST, detail, ended_by="node")
    await bring_all(yard, attempt)
    return outcome


async def _kept_by(yard: Yard, attempt: ActiveRun, node: OtherNode) -> Outcome:
    await node.line.is_open.wait()
    if attempt.cancel and not attempt.is_started:
        await node.stop(attempt)
    facts = node.line.facts
    assert facts is not None
    await ship_code(yard, attempt, node)
    await yard.leases.take(attempt)
    assignment = _assignment(yard, attempt, facts.capacity.gpus)
    if yard.settings.fence_nodes:
        assignment = replace(assignment, contact_seconds=contact_seconds(yard.settings.node_timeout))
    return await node.line.keep(assignment, partial(on_started, yard))


def on_started(yard: Yard, started: Started) -> None:
    """Note that an attempt's process runs."""
    attempt = yard.active.get(RunId(started.run_id))
    if attempt is None or attempt.attempt != started.attempt or attempt.is_started:
        return
    attempt.started = started
    node = yard.other(attempt)
    attempt.gpu_enforcement = gpu_limit.enforcement(attempt, node.look if node else yard.look)
    change = AttemptStarted(
        run_id=attempt.run_id,
        attempt=attempt.attempt,
        pid=started.pid,
        at=started.started_at,
        enforcement={**started.enforcement, **attempt.gpu_enforcement},
    )
    yard.noted_starts.note(change)


def register(yard: Yard, decision: Start) -> ActiveRun:
    """Enter a decision among the active runs, as the next attempt of its run."""
    run_id = decision.run_id
    number = yard.attempts_used.get(run_id, 0) + 1
    attempt = ActiveRun(
        run_id=run_id,
        batch_id=decision.batch_id,
        attempt=number,
        placement=decision.placement,
        folder=yard.folder(run_id, number),
        boot_id=_boot_id(yard, decision.placement.node),
    )
    yard.active[run_id] = attempt
    return attempt


def _boot_id(yard: Yard, name: str) -> str:
    node = yard.others.get(name)
    if node is None:
        return yard.boot_id
    # The core was told of the node with what it said of itself.
    assert node.line.facts is not None
    return node.line.facts.boot_id


def _withdraw(yard: Yard, attempts: Sequence[ActiveRun], why: str) -> None:
    """Nothing of these attempts was committed: back to the front of the queue, or gone if cancelled meanwhile."""
    yard.on_storage_fault(why)
    for attempt in attempts:
        del yard.active[attempt.run_id]
        if attempt.spec and not attempt.cancel:
            yard.specs.keep(attempt.spec)
        yard.core.on_start_failed(attempt.run_id)
    for attempt in attempts:
        if attempt.cancel:
            yard.core.on_cancelled(attempt.run_id)
            yard.spawn(_drop_cancelled(yard, attempt), f"cancel {attempt.run_id}")
    yard.spawn(yard.write_surely([]), "wait for the store")


async def _drop_cancelled(yard: Yard, attempt: ActiveRun) -> None:
    order = attempt.cancel
    assert order is not None
    now = time.time_ns() // 1000
    await yard.write_surely(
        [RunDropped(run_id=attempt.run_id, reason=order.reason, detail=order.detail, at=now)]
    )


def starting(yard: Yard, attempt: ActiveRun) -> AttemptStarting:
    """Return what is committed of an attempt before anything of it exists."""
    return AttemptStarting(
        run_id=attempt.run_id,
        attempt=attempt.attempt,
        nonce=attempt.nonce,
        node=attempt.placement.node,
        boot_id=attempt.boot_id,
        gpu_indexes=attempt.placement.gpu_indexes,
        origin=known_origin(yard, attempt),
        at=time.time_ns() // 1000,
    )


def _assignment(yard: Yard, attempt: ActiveRun, gpus: Sequence[Gpu], *, is_new: bool = False) -> Assignment:
    spec = attempt.spec
    assert spec is not None
    uuids = {gpu.index: gpu.uuid for gpu in gpus}
    return Assignment(
        run_id=spec.run_id,
        attempt=attempt.attempt,
        nonce=attempt.nonce,
        boot_id=attempt.boot_id,
        folder=str(attempt.folder),
        command=spec.command,
        cwd=spec.cwd,
        batch_id=spec.batch_id,
        env=spec.env,
        cpu_milli=spec.request.cpu_milli,
        memory_bytes=spec.request.memory_bytes,
        gpu_ids=tuple(uuids.get(i, str(i)) for i in attempt.placement.gpu_indexes),
        gpu_indexes=attempt.placement.gpu_indexes,
        gpu_memory_bytes=spec.request.gpu_memory_bytes,
        timeout_seconds=spec.timeout_seconds,
        grace_seconds=yard.settings.grace,
        max_log_bytes=yard.settings.max_log_size,
        max_processes=yard.settings.max_processes,
        preload=spec.preload,
        code=spec.code,
        code_folder=str(yard.data_dir.code),
        is_new=is_new,
    )
