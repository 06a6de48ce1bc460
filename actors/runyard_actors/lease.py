"""The lease: the Ray task that holds a run's declared resources while its shim lives, and waits for its end.

The lease owns nothing else. If its worker dies, the run goes on under its shim, and the manager hands the same
attempt to a new lease, which finds the run by its folder. So `hold` is one function for starting and adopting.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runyard_actors import log_file
from runyard_actors.attempt_file import COOKIE
from runyard_actors.module_environment import module_environment
from runyard_actors.out_of_memory import TAIL_BYTES, Memory, shortage
from runyard_actors.run import Outcome, Reason
from runyard_actors.run_folder import RunFolder
from runyard_actors.shim.launch import launch
from runyard_actors.shim.spec import ShimSpec
from runyard_cluster import process
from runyard_cluster.delegation import delegated_group
from runyard_cluster.failpoint import hit

#: Processes of a run without a supervisor get this long to die of being killed.
SWEEP_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One attempt to be started, or found again, on the node that receives this.

    `folder` is the attempt's folder, `boot_id` the boot of the node that the attempt was given to.
    `env` holds secrets: it travels to the shim's 0600 file and nowhere else.
    """

    run_id: str
    attempt: int
    nonce: str
    boot_id: str
    folder: str
    command: tuple[str, ...]
    cwd: str
    batch_id: str | None
    env: Mapping[str, str] = field(repr=False)
    cpu_milli: int
    memory_bytes: int
    gpu_ids: tuple[str, ...]
    timeout_seconds: float
    grace_seconds: float
    max_log_bytes: int
    max_processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """An attempt's process runs. `started_at` in microseconds since the epoch."""

    run_id: str
    attempt: int
    pid: int
    shim_pid: int
    started_at: int
    enforcement: Mapping[str, str]


def hold(assignment: Assignment, on_started: Callable[[Started], None]) -> Outcome:
    """Start the attempt, or adopt it when it was started before; return how it ended.

    At most once: the store committed the attempt before this is called, and the shim itself refuses a folder
    that is locked or claimed. Raises nothing: whatever goes wrong is the attempt's outcome.
    """
    folder = RunFolder(Path(assignment.folder))
    try:
        return _hold(assignment, folder, on_started)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _outcome(Reason.START_ERROR, f"the run's folder cannot be used: {error.strerror}{where}")


def _hold(assignment: Assignment, folder: RunFolder, on_started: Callable[[Started], None]) -> Outcome:
    if assignment.boot_id != process.boot_id():
        return _finished(assignment, folder) or _outcome(
            Reason.NODE_LOST, "the machine restarted while the run was active", ended_by="node"
        )
    if not (folder.is_alive() or folder.started()):
        folder.create()
        folder.write_spec(_shim_spec(assignment, folder).to_json())
        hit("lease.before_launch")
        report = launch(folder)
        hit("lease.after_launch")
        if report.event == "start_error" and not folder.started():
            return _outcome(Reason.START_ERROR, report.why or "the shim could not use the run's folder")
    _tell_started(assignment, folder, on_started)
    folder.wait_end()
    return _finished(assignment, folder) or _unfinished(assignment, folder)


def _tell_started(assignment: Assignment, folder: RunFolder, on_started: Callable[[Started], None]) -> None:
    started, child = folder.started(), folder.child()
    if started and child:
        on_started(
            Started(
                run_id=assignment.run_id,
                attempt=assignment.attempt,
                pid=int(child["pid"]),
                shim_pid=int(started["shim_pid"]),
                started_at=int(started["started_at"]),
                enforcement=child.get("enforcement") or started.get("enforcement", {}),
            )
        )


def _finished(assignment: Assignment, folder: RunFolder) -> Outcome | None:
    """Read the outcome that the shim, or whoever cancelled before the start, left in the folder."""
    record = folder.exit()
    if record is None:
        started = folder.started()
        record = started.get("never_starts") if started else None
    if record is None:
        return None
    report = folder.report()
    outcome = Outcome(
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
    return _with_shortage(outcome, assignment, folder) if outcome.reason is Reason.EXIT_CODE else outcome


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


def _unfinished(assignment: Assignment, folder: RunFolder) -> Outcome:
    """The shim is gone without an exit record: sweep what it left, the run's outcome is unknown."""
    group = str((folder.child() or {}).get("cgroup", ""))
    left = process.sweep(COOKIE, assignment.nonce, limit_seconds=SWEEP_SECONDS, group=group)
    rest = f"processes {left} of it do not die" if left else "what it left was ended"
    detail = f"its supervisor ended without a record, so the run's own outcome is unknown; {rest}"
    return _outcome(Reason.SUPERVISOR_LOST, detail, ended_by="supervisor", log_bytes=folder.log_size())


def _outcome(reason: Reason, detail: str, **more: Any) -> Outcome:
    return Outcome(ended_at=time.time_ns() // 1000, reason=reason, reason_detail=detail, **more)


def _shim_spec(assignment: Assignment, folder: RunFolder) -> ShimSpec:
    return ShimSpec(
        run_id=assignment.run_id,
        attempt=assignment.attempt,
        nonce=assignment.nonce,
        command=assignment.command,
        cwd=assignment.cwd,
        env=module_environment(os.environ, assignment, report_file=str(folder.report_file)),
        timeout_seconds=assignment.timeout_seconds,
        grace_seconds=assignment.grace_seconds,
        memory_bytes=assignment.memory_bytes,
        max_log_bytes=assignment.max_log_bytes,
        max_processes=assignment.max_processes,
        cpu_milli=assignment.cpu_milli,
        cgroup=str(delegated_group() or ""),
    )
