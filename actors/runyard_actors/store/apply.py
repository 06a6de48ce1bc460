"""Each kind of change, carried out on the tables."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from runyard_actors.run import Status
from runyard_actors.store import attempt
from runyard_actors.store.call import Call, RunRow, clean, fraction, to_json
from runyard_actors.store.changes import (
    AttemptEnded,
    AttemptStarted,
    AttemptStarting,
    BatchCancelled,
    BatchClosed,
    BatchEdited,
    CancelRequested,
    Change,
    EnforcementFound,
    ModuleDeleted,
    ModulePut,
    NoticeFailed,
    OriginFound,
    ProgressReported,
    Pruned,
    RunDropped,
    RunEdited,
    RunHeld,
    RunResumed,
    RunsSubmitted,
    RunStalled,
    RunSuspended,
    RunWarned,
    StartWithdrawn,
)
from runyard_actors.store.event_kinds import EventKind
from runyard_actors.store.queries import sql
from runyard_actors.store.submit import submit

#: Of so many prunings it is kept which runs they removed; a reader that did not follow them begins anew.
FORGETTINGS_KEPT = 100


def apply(call: Call, change: Change) -> None:
    """Carry out one change. Raises sqlite3.Error; TypeError or ValueError for what JSON cannot hold."""
    _VERBS[type(change)](call, change)


def request_cancel(call: Call, change: CancelRequested) -> None:
    """Note that an active run is to be stopped; the first reason stays."""
    run = call.run(change.run_id)
    if run is None or Status(run.status).is_ended:
        return
    detail = clean(change.detail)
    values = {"seq": run.seq, "at": change.at, "reason": change.reason.value, "detail": detail}
    if call.execute("request_cancel", values):
        data = {"reason": change.reason, "detail": detail}
        call.event("cancel_requested", change.at, run_id=change.run_id, batch_id=run.batch_id, data=data)


def report_progress(call: Call, change: ProgressReported) -> None:
    """Note how far a running run is; of its progress events only the newest is kept."""
    run = call.run(change.run_id)
    if run is None or run.status != Status.RUNNING:
        return
    values = {"progress": fraction(change.progress), "message": clean(change.message)}
    call.execute("report_progress", {**values, "seq": run.seq})
    events, run_id = call.progress_events, change.run_id
    earlier = events.get(run_id) or call.earlier_progress_events.get(run_id)
    if earlier:
        call.cursor.execute(sql("delete_progress_event"), (earlier, run_id))
    at = time.time_ns() // 1000 if change.at is None else change.at
    events[run_id] = call.event("run_progressed", at, run_id=run_id, batch_id=run.batch_id, data=values)


def warn(call: Call, change: RunWarned) -> None:
    """Note what is wrong with a running run."""
    run = call.run(change.run_id)
    words = clean(change.words)
    if run is not None and run.status == Status.RUNNING and _changed(call, "warn_run", run, words=words):
        data = {"warning": words}
        call.event("run_warned", change.at, run_id=change.run_id, batch_id=run.batch_id, data=data)


def note_stall(call: Call, change: RunStalled) -> None:
    """Note that a running run shows no sign of life, or that it does again."""
    run = call.run(change.run_id)
    if (
        run is not None
        and run.status == Status.RUNNING
        and _changed(call, "stall_run", run, since=change.since)
    ):
        kind: EventKind = "run_stall_ended" if change.since is None else "run_stalled"
        call.event(kind, change.at, run_id=change.run_id, batch_id=run.batch_id)


def note_enforcement(call: Call, change: EnforcementFound) -> None:
    """Correct how limits of a running run are held."""
    run = call.run(change.run_id)
    if run is not None and run.status == Status.RUNNING:
        _changed(call, "correct_enforcement", run, enforcement=to_json(dict(change.enforcement)))


def _changed(call: Call, name: str, run: RunRow, **values: Any) -> bool:
    return call.execute(name, {"seq": run.seq, **values})


def note_hold(call: Call, change: RunHeld) -> None:
    """Note that a queued run is held, or that it was released."""
    run = call.run(change.run_id)
    query = "hold_run" if change.is_held else "release_run"
    kind: EventKind = "run_held" if change.is_held else "run_released"
    if run is not None and _changed(call, query, run):
        call.event(kind, change.at, run_id=change.run_id, batch_id=run.batch_id)


def edit_run(call: Call, change: RunEdited) -> None:
    """Note the new priority of a run that has not ended."""
    run = call.run(change.run_id)
    values = {"priority": change.priority}
    if run is not None and not Status(run.status).is_ended and _changed(call, "edit_run", run, **values):
        call.event("run_edited", change.at, run_id=change.run_id, batch_id=run.batch_id, data=values)


def edit_batch(call: Call, change: BatchEdited) -> None:
    """Note the new limit of a batch."""
    values = {"max_concurrent": change.max_concurrent}
    if call.execute("edit_batch", {"batch_id": change.batch_id, **values}):
        call.event("batch_edited", change.at, batch_id=change.batch_id, data=values)


def close_batch(call: Call, change: BatchClosed) -> None:
    """Note that a batch takes no more runs."""
    if call.execute("close_batch", {"batch_id": change.batch_id, "at": change.at}):
        call.event("batch_closed", change.at, batch_id=change.batch_id)


def note_notice(call: Call, change: NoticeFailed) -> None:
    """Note on a run or a batch that somebody could not be told of its end."""
    words = clean(change.words)
    query = "note_run_notice" if change.run_id else "note_batch_notice"
    values = {"words": words, "run_id": change.run_id, "batch_id": change.batch_id}
    if call.execute(query, values):
        ids = {"run_id": change.run_id, "batch_id": change.batch_id}
        call.event("notice_failed", change.at, **ids, data={"notice": words})


def cancel_batch(call: Call, change: BatchCancelled) -> None:
    """Note that a batch was cancelled."""
    if call.execute("cancel_batch", {"batch_id": change.batch_id, "at": change.at}):
        call.event("batch_cancelled", change.at, batch_id=change.batch_id)


def put_module(call: Call, change: ModulePut) -> None:
    """Set a module of the registry."""
    definition = to_json(dict(change.definition))
    call.execute("put_module", {"module_id": change.module_id, "definition": definition, "at": change.at})
    call.event("module_put", change.at, data={"module_id": change.module_id})


def delete_module(call: Call, change: ModuleDeleted) -> None:
    """Take a module out of the registry."""
    if call.execute("delete_module", {"module_id": change.module_id}):
        call.event("module_deleted", change.at, data={"module_id": change.module_id})


def prune(call: Call, change: Pruned) -> None:
    """Forget ended runs, and what is old and belongs to none that is left."""
    if change.run_ids:
        call.execute("count_forgetting", {})
    for run_id in change.run_ids:
        _forget(call, run_id)
    call.execute("prune_forgotten", {"kept": FORGETTINGS_KEPT})
    for name in ("prune_events", "prune_idempotency", "prune_batches"):
        call.execute(name, {"before": change.before})
    call.execute("prune_module_names", {})


def _forget(call: Call, run_id: str) -> None:
    run = call.run(run_id)
    if run is None or not Status(run.status).is_ended:
        return
    values = {"seq": run.seq, "run_id": run_id}
    for name in ("prune_labels", "prune_spec", "prune_attempts", "prune_run", "note_forgotten"):
        call.execute(name, values)
    call.counts.add(seq=run.seq, batch_id=run.batch_id, module_id=run.module_id, status=run.status, by=-1)


#: Each function takes the change that its key names, which the type of a mapping cannot say.
_VERBS: dict[type, Callable[[Call, Any], None]] = {
    RunsSubmitted: submit,
    AttemptStarting: attempt.starting,
    OriginFound: attempt.origin_found,
    AttemptStarted: attempt.started,
    AttemptEnded: attempt.ended,
    StartWithdrawn: attempt.withdrawn,
    RunDropped: attempt.dropped,
    CancelRequested: request_cancel,
    ProgressReported: report_progress,
    RunWarned: warn,
    RunStalled: note_stall,
    EnforcementFound: note_enforcement,
    RunSuspended: attempt.suspended,
    RunResumed: attempt.resumed,
    RunHeld: note_hold,
    RunEdited: edit_run,
    BatchEdited: edit_batch,
    BatchClosed: close_batch,
    NoticeFailed: note_notice,
    BatchCancelled: cancel_batch,
    ModulePut: put_module,
    ModuleDeleted: delete_module,
    Pruned: prune,
}
