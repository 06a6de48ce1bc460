"""The life of an attempt in the tables: starting, started, ended, withdrawn.

Each function leaves things as they are when its change was recorded before, or comes after a later one.
"""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache
from hashlib import sha256
from typing import Any

from runyard_actors.run import Outcome, Status
from runyard_actors.store.call import ENDED, Call, RunRow, clean, fraction, to_json
from runyard_actors.store.changes import (
    AttemptEnded,
    AttemptStarted,
    AttemptStarting,
    OriginFound,
    RunDropped,
    RunResumed,
    RunSuspended,
    StartWithdrawn,
)
from runyard_actors.store.event_kinds import EventKind

#: Outcome fields that the tables hold under the same name.
_PLAIN = tuple(f.name for f in fields(Outcome) if f.name not in ("reason", "result", "is_of_gpu"))


def starting(call: Call, change: AttemptStarting) -> None:
    """Record that the attempt may exist from now on."""
    run = call.run(change.run_id)
    if run is None or run.status != Status.QUEUED:
        return
    values = {
        "run_id": change.run_id,
        "attempt": change.attempt,
        "nonce": change.nonce,
        "node": change.node,
        "boot_id": change.boot_id,
        "gpu_indexes": to_json(change.gpu_indexes),
        "at": change.at,
        "seq": run.seq,
    }
    values["origin_id"] = None if change.origin is None else _put_origin(call, change.origin)
    if call.execute("put_attempt", values):
        call.execute("claim_run", values)
        data = {"attempt": change.attempt, "node": change.node}
        call.event("run_starting", change.at, run_id=change.run_id, batch_id=run.batch_id, data=data)


def origin_found(call: Call, change: OriginFound) -> None:
    """Record where an attempt came from, and tell of it while its run is running.

    Before, the event of the start is still to come, and after the run has ended nothing comes of it any more.
    """
    values = {"run_id": change.run_id, "attempt": change.attempt}
    is_new = call.execute("note_origin", {**values, "origin_id": _put_origin(call, change.origin)})
    run = call.run(change.run_id)
    if is_new and run is not None and run.status == Status.RUNNING:
        data = {"attempt": change.attempt}
        call.event("run_origin_found", change.at, run_id=change.run_id, batch_id=run.batch_id, data=data)


def _put_origin(call: Call, origin: str) -> str:
    """Have an origin in the tables, where many attempts share it; return its id."""
    origin_id = _origin_id(origin)
    call.execute("put_origin", {"origin_id": origin_id, "value": origin})
    return origin_id


@lru_cache(maxsize=256)
def _origin_id(origin: str) -> str:
    return sha256(origin.encode("utf-8", "replace")).hexdigest()[:16]


def started(call: Call, change: AttemptStarted) -> None:
    """Record that the attempt's process runs, unless its end is recorded already."""
    run = call.run(change.run_id)
    values = {"run_id": change.run_id, "attempt": change.attempt, "pid": change.pid, "at": change.at}
    if run is not None and call.execute("start_attempt", values):
        call.execute("start_run", {"seq": run.seq, "at": change.at, **_of_process(change)})
        _note_start(call, run, change)
        _start_batch(call, run, change)
        call.move(run, Status.RUNNING.value)


def _note_start(call: Call, run: RunRow, change: AttemptStarted) -> None:
    data = {"attempt": change.attempt, "pid": change.pid}
    call.event("run_started", change.at, run_id=change.run_id, batch_id=run.batch_id, data=data)


def _start_batch(call: Call, run: RunRow, change: AttemptStarted) -> None:
    if run.batch_id is not None:
        call.execute("start_batch", {"batch_id": run.batch_id, "at": change.at})


def _of_process(change: AttemptStarted) -> dict[str, Any]:
    return {"pid": change.pid, "enforcement": to_json(dict(change.enforcement))}


def ended(call: Call, change: AttemptEnded) -> None:
    """Record how the attempt ended, and end its run or queue it again."""
    run = call.run(change.run_id)
    if run is None:
        return
    # One that is told of with the end may have been recorded before; then the run is not queued any more.
    start = change.started if run.status == Status.QUEUED else None
    known = {"pid": None} if start is None else {"pid": start.pid, "started_at": start.at}
    values = {**_outcome_values(change.outcome), **known, "run_id": change.run_id, "attempt": change.attempt}
    if not call.execute("end_attempt", values):
        return
    if start is not None:
        _note_start(call, run, start)
    if change.will_retry:
        if start is not None:
            _start_batch(call, run, start)
        _requeue(call, run, change)
    else:
        _end_run(call, run, change.run_id, change.outcome, attempt=change.attempt, start=start)


def dropped(call: Call, change: RunDropped) -> None:
    """End a run that never started; an attempt that was only about to start goes with it."""
    run = call.run(change.run_id)
    if run is None or run.status != Status.QUEUED:
        return
    call.execute("withdraw_attempts", {"run_id": change.run_id})
    outcome = Outcome(ended_at=change.at, reason=change.reason, reason_detail=change.detail, ended_by="user")
    _end_run(call, run, change.run_id, outcome, attempt=run.attempt)


def suspended(call: Call, change: RunSuspended) -> None:
    """Record that the attempt is held still."""
    _record(call, "suspend_run", "run_suspended", change)


def resumed(call: Call, change: RunResumed) -> None:
    """Record that the attempt goes on."""
    _record(call, "resume_run", "run_resumed", change)


def withdrawn(call: Call, change: StartWithdrawn) -> None:
    """Take back an attempt that never started; its number is free again."""
    run = call.run(change.run_id)
    values = {"run_id": change.run_id, "attempt": change.attempt}
    if run is None or not call.execute("withdraw_attempt", values):
        return
    call.execute("requeue_run", {"seq": run.seq, "attempt": change.attempt - 1, "at": run.queued_at})
    call.event("start_withdrawn", change.at, run_id=change.run_id, batch_id=run.batch_id, data=values)


def _record(call: Call, query: str, kind: EventKind, change: RunSuspended | RunResumed) -> None:
    run = call.run(change.run_id)
    if run and call.execute(query, {"seq": run.seq, "attempt": change.attempt, "at": change.at}):
        data = {"attempt": change.attempt}
        call.event(kind, change.at, run_id=change.run_id, batch_id=run.batch_id, data=data)


def _requeue(call: Call, run: RunRow, change: AttemptEnded) -> None:
    at = change.outcome.ended_at
    call.execute("requeue_run", {"seq": run.seq, "attempt": change.attempt, "at": at})
    if change.request is not None:
        memory, gpu_memory = change.request.memory_bytes, change.request.gpu_memory_bytes
        values = {"seq": run.seq, "memory_bytes": memory, "gpu_memory_bytes": gpu_memory}
        call.execute("enlarge_run", values)
    if change.not_before is not None:
        call.execute("delay_run", {"seq": run.seq, "not_before": change.not_before})
    call.move(run, Status.QUEUED.value)
    data = {"attempt": change.attempt, **_verdict(change.outcome)}
    call.event("run_requeued", at, run_id=change.run_id, batch_id=run.batch_id, data=data)


def _end_run(
    call: Call,
    run: RunRow,
    run_id: str,
    outcome: Outcome,
    *,
    attempt: int,
    start: AttemptStarted | None = None,
) -> None:
    values = _outcome_values(outcome) | {"seq": run.seq, "status": outcome.status.value}
    known = (
        {"pid": None, "enforcement": None}
        if start is None
        else {"started_at": start.at, **_of_process(start)}
    )
    call.execute("end_run", values | known)
    if run.batch_id is not None:
        times = {"at": outcome.ended_at, "started_at": start and start.at}
        call.execute("end_batch", {"batch_id": run.batch_id, **times})
    call.move(run, outcome.status.value)
    call.progress_events[run_id] = ENDED
    data = {"attempt": attempt, "status": outcome.status.value, **_verdict(outcome)}
    call.event("run_ended", outcome.ended_at, run_id=run_id, batch_id=run.batch_id, data=data)


def _verdict(outcome: Outcome) -> dict[str, Any]:
    return {
        "reason": outcome.reason,
        "reason_detail": clean(outcome.reason_detail),
        "exit_code": outcome.exit_code,
        "signal": outcome.signal,
    }


def _outcome_values(outcome: Outcome) -> dict[str, Any]:
    values = {name: getattr(outcome, name) for name in _PLAIN}
    values["reason"] = outcome.reason.value if outcome.reason else None
    values["reason_detail"] = clean(outcome.reason_detail)
    values["progress"] = fraction(outcome.progress)
    values["message"] = clean(outcome.message)
    values["result"] = _result_text(outcome.result)
    return values


def _result_text(result: object) -> str | None:
    """A result that JSON cannot hold is left out: the end must be recorded, whatever the module wrote."""
    try:
        return None if result is None else clean(to_json(result))
    except (TypeError, ValueError, RecursionError):
        return None
