"""Boot: rebuild the yard from the store. Adopt first, admit second, so capacity is never granted twice."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from runyard_actors.manager.active import ActiveRun, CancelOrder
from runyard_actors.manager.cancel import stop_here
from runyard_actors.manager.follow_nodes import other_node
from runyard_actors.manager.gpu_lost import node_spec
from runyard_actors.manager.queued_run import queued_run
from runyard_actors.manager.start import see_through
from runyard_actors.manager.yard import Yard, log
from runyard_actors.run import Reason
from runyard_actors.store.records import ActiveAttempt, StoredRun, StoredState
from runyard_actors.store.restore import load_state
from runyard_cluster.failpoint import hit


def rebuild(yard: Yard) -> None:
    """Fill core and registry from the store, then take leases again for what was active."""
    began = time.monotonic()
    state = load_state(yard.data_dir.database)
    yard.core.on_node(node_spec(yard.capacity))
    yard.core.on_guard(yard.capacity.node, yard.guard_on(yard.capacity.node))
    _add_limits(yard, state)
    adopted = [_adopt(yard, attempt) for attempt in state.active]
    if adopted:
        hit("boot.adopting")
    for run_id, succeeded in state.ended.items():
        yard.core.on_dependency_state(run_id, succeeded=succeeded)
    _enqueue(yard, state)
    specs = yard.reader.specs([a.run_id for a in adopted])
    for attempt in adopted:
        attempt.spec = specs[attempt.run_id]
        yard.spawn(_adopted(yard, attempt), f"run {attempt.run_id}")
    yard.pump()
    seconds = time.monotonic() - began
    log.info("rebuilt in %.2f s: %d active, %d queued", seconds, len(state.active), len(state.queued))


async def _adopted(yard: Yard, attempt: ActiveRun) -> None:
    hit("boot.adopted")
    if attempt.cancel and yard.other(attempt) is None:
        stop_here(attempt)
    await see_through(yard, attempt)


def _add_limits(yard: Yard, state: StoredState) -> None:
    for module_id, limit in state.module_limits.items():
        yard.core.set_module_limit(module_id, limit)
    for module_id, module in yard.settings.modules.items():
        if module.max_concurrent is not None:
            yard.core.set_module_limit(module_id, module.max_concurrent)
    for batch_id, batch in state.batches.items():
        yard.core.on_batch(batch, failures=state.failures.get(batch_id, 0))
    for batch_id, next_index in state.next_indexes.items():
        yard.batches.on_open(batch_id, next_index)
    for batch_id in state.awaited:
        yard.batches.awaited.add(batch_id)
        yard.core.on_batch_awaited(batch_id)


def _adopt(yard: Yard, stored: ActiveAttempt) -> ActiveRun:
    run = stored.run
    attempt = ActiveRun(
        run_id=run.run_id,
        batch_id=run.batch_id,
        attempt=stored.attempt,
        placement=stored.placement,
        folder=yard.folder(run.run_id, stored.attempt),
        nonce=stored.nonce,
        boot_id=stored.boot_id,
        is_adopted=True,
        is_suspended=None,
    )
    if stored.cancel_reason:
        attempt.cancel = CancelOrder(Reason(stored.cancel_reason), stored.cancel_detail or "cancelled")
    if yard.settings.ray_address != "local" and stored.placement.node != yard.capacity.node:
        other_node(yard, stored.placement.node)
    yard.active[run.run_id] = attempt
    yard.core.on_adopted(queued_run(run), stored.placement)
    return attempt


def _enqueue(yard: Yard, state: StoredState) -> None:
    for run in state.queued:
        if run.attempts_used:
            yard.attempts_used[run.run_id] = run.attempts_used
    for group in _by_batch(state.queued):
        batch_id = group[0].batch_id
        batch = state.batches.get(batch_id) if batch_id else None
        yard.core.on_submitted([queued_run(run, run.created_at, run.attempts_used) for run in group], batch)


def _by_batch(runs: Sequence[StoredRun]) -> Iterable[list[StoredRun]]:
    """Runs of one batch lie side by side in the store's order, so groups of neighbours do."""
    group: list[StoredRun] = []
    for run in runs:
        if group and group[-1].batch_id != run.batch_id:
            yield group
            group = []
        group.append(run)
    if group:
        yield group
