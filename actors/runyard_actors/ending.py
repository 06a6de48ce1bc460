"""How an attempt ended, as its folder tells it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from runyard_actors import log_file
from runyard_actors.assignment import Assignment
from runyard_actors.attempt_file import COOKIE, group_name
from runyard_actors.out_of_memory import TAIL_BYTES, Memory, shortage
from runyard_actors.run import Outcome, Reason
from runyard_actors.run_folder import RunFolder
from runyard_cluster import process

#: Processes of a run without a supervisor get this long to die of being killed.
SWEEP_SECONDS = 10.0


def finished(
    assignment: Assignment, folder: RunFolder, record: Mapping[str, Any] | None = None
) -> Outcome | None:
    """Read the outcome that the shim, or whoever cancelled before the start, left in the folder.

    The shim's `record` need not be read where it was told.
    """
    if record is None:
        record = folder.exit()
    if record is None:
        started = folder.started()
        record = started.get("never_starts") if started else None
    if record is None:
        return None
    outcome = _outcome(record, {} if _reported_nothing(record) else folder.report())
    return _with_shortage(outcome, assignment, folder) if outcome.reason is Reason.EXIT_CODE else outcome


def told(record: Mapping[str, Any] | None) -> Outcome | None:
    """Return the outcome that a shim's record tells by itself; None if the folder has to be looked at for it."""
    if record is None or record.get("reason") == Reason.EXIT_CODE or not _reported_nothing(record):
        return None
    return _outcome(record, {})


def _reported_nothing(record: Mapping[str, Any]) -> bool:
    return record.get("report_bytes") == 0


def _outcome(record: Mapping[str, Any], report: Mapping[str, Any]) -> Outcome:
    return Outcome(
        ended_at=int(record["ended_at"]),
        exit_code=record.get("exit_code"),
        signal=record.get("signal"),
        reason=Reason(record["reason"]) if record.get("reason") else None,
        reason_detail=record.get("reason_detail"),
        ended_by=record.get("ended_by", "self"),
        started_at=record.get("started_at"),
        cpu_seconds=record.get("cpu_seconds"),
        peak_memory=record.get("peak_memory"),
        log_bytes=record.get("log_bytes", 0),
        progress=report.get("progress"),
        message=report.get("message"),
        result=report.get("result"),
    )


def _with_shortage(outcome: Outcome, assignment: Assignment, folder: RunFolder) -> Outcome:
    """A program that was refused memory exits with any code; what it said last tells."""
    found = shortage(_log_tail(folder), has_gpu=bool(assignment.gpu_ids))
    if found is None:
        return outcome
    return replace(
        outcome,
        reason=Reason.OUT_OF_MEMORY,
        reason_detail=found.detail,
        is_of_gpu=found.memory is Memory.GPU,
    )


def _log_tail(folder: RunFolder) -> bytes:
    size = folder.log_size()
    try:
        blocks = log_file.kept(folder.log_file, max(0, size - TAIL_BYTES), size, folder.log_gap())
        return b"".join(data for _, data in blocks)
    except OSError:
        return b""  # Whatever happened to its log, how the attempt ended is known.


def unfinished(assignment: Assignment, folder: RunFolder) -> Outcome:
    """The shim is gone without an exit record: sweep what it left, the run's outcome is unknown."""
    group = str((folder.child() or {}).get("cgroup", ""))
    if Path(group).name != group_name(assignment.nonce):
        group = ""  # The module may have written that: nobody else's group is ended for it.
    left = process.sweep(COOKIE, assignment.nonce, limit_seconds=SWEEP_SECONDS, group=group)
    rest = f"processes {left} of it do not die" if left else "what it left was ended"
    detail = f"its supervisor ended without a record, so the run's own outcome is unknown; {rest}"
    return outcome_of(Reason.SUPERVISOR_LOST, detail, ended_by="supervisor", log_bytes=folder.log_size())


def outcome_of(reason: Reason, detail: str, **more: Any) -> Outcome:
    """Return the outcome of an attempt that nobody left a record of."""
    return Outcome(ended_at=time.time_ns() // 1000, reason=reason, reason_detail=detail, **more)
