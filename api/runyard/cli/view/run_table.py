"""Runs as a table and as a sheet of facts."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from runyard.cli.say import STATUS_COLOURS, clean, paint
from runyard.cli.view.table import Cell, Column, render
from runyard.cli.view.words import ago, cause, duration, elapsed, local_time, number, percent, size

Run = Mapping[str, Any]

_COMMON = (Column("RUN"), Column("STATUS"), Column("MODULE", gives_way=True))
_TIMES = (Column("CREATED"), Column("TIME", is_number=True))


def status_cell(run: Run) -> Cell:
    """Return a run's status in its colour."""
    return run["status"], STATUS_COLOURS.get(run["status"])


def history_table(runs: Sequence[Run], width: int | None, now: datetime | None = None) -> str:
    """Return runs with how each ended."""
    columns = (*_COMMON, *_TIMES, Column("EXIT", is_number=True), Column("WHY", gives_way=True))
    rows = [
        [
            run["run_id"],
            status_cell(run),
            run["module_name"],
            local_time(run["created_at"]),
            duration(elapsed(run, now)),
            "" if run["exit_code"] is None else str(run["exit_code"]),
            cause(run) or (run["waiting_for"] or ""),
        ]
        for run in runs
    ]
    return render(columns, rows, width)


def active_table(
    runs: Sequence[Run],
    width: int | None,
    now: datetime | None = None,
    usage: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """Return running and queued runs with how far each is, or what it waits for; with `usage`, what each uses."""
    columns = (*_COMMON, *_TIMES, Column("CPUS", is_number=True), Column("MEMORY", is_number=True))
    rows = [_active_row(run, now, (usage or {}).get(run["run_id"]), usage is not None) for run in runs]
    used = (Column("CPU%", is_number=True), Column("USED", is_number=True)) if usage is not None else ()
    return render((*columns, *used, Column("NOW", gives_way=True)), rows, width)


def _active_row(run: Run, now: datetime | None, use: Mapping[str, Any] | None, has_usage: bool) -> list[Any]:
    used = [f"{use['cpu_percent']:.0f}", size(use["memory"])] if use else ["", ""]
    return [
        run["run_id"],
        status_cell(run),
        run["module_name"],
        ago(run["created_at"], now),
        duration(elapsed(run, now)),
        number(run["num_cpus"]),
        size(run["memory"]),
        *(used if has_usage else ()),
        what_now(run),
    ]


def what_now(run: Run) -> str:
    """Return what a run that has not ended does or waits for."""
    if run["status"] == "queued":
        return run["waiting_for"] or ""
    return f"{percent(run['progress'])} {run['message'] or ''}".strip()


def facts(run: Run, attempts: Sequence[Mapping[str, Any]] = (), now: datetime | None = None) -> str:
    """Return everything about a run, a fact a line."""
    rows = [(name, clean(value)) for name, value in _facts(run, now) if value not in ("", "-", None)]
    widest = max(len(name) for name, _ in rows)
    lines = [f"{name:<{widest}}  {_painted(name, value)}" for name, value in rows]
    if len(attempts) > 1:
        lines += ["", attempts_table(attempts)]
    return "\n".join(lines)


def attempts_table(attempts: Sequence[Mapping[str, Any]]) -> str:
    """Return the attempts of a run."""
    columns = (
        Column("ATTEMPT", is_number=True),
        Column("STARTED"),
        Column("TIME", is_number=True),
        Column("END"),
    )
    rows = [
        [
            str(attempt["attempt"]),
            local_time(attempt["started_at"]),
            duration(attempt["duration_seconds"]),
            cause(attempt) or ("completed" if attempt["ended_at"] else "running"),
        ]
        for attempt in attempts
    ]
    return render(columns, rows)


def _facts(run: Run, now: datetime | None) -> list[tuple[str, Any]]:
    batch = (
        f"{run['batch_id']} (row {run['batch_index'] + 1})"
        if run["batch_index"] is not None
        else run["batch_id"]
    )
    return [
        ("run", run["run_id"]),
        ("module", _named(run["module_name"], run["module_id"])),
        ("status", run["status"]),
        ("why", cause(run)),
        ("waits for", run["waiting_for"]),
        ("progress", what_now(run) if run["status"] != "queued" else ""),
        ("result", run["result"]),
        ("exit code", run["exit_code"]),
        ("signal", run["signal"]),
        ("command", shlex.join(run["command"])),
        ("folder", run["cwd"]),
        ("environment", ", ".join(run["env_keys"])),
        ("labels", ", ".join(f"{k}={v}" for k, v in run["labels"].items())),
        ("batch", batch),
        ("restarted from", run["restarted_from"]),
        ("attempt", f"{run['attempt']} of at most {run['max_retries'] + 1 + run['memory_retries']}"),
        ("created", local_time(run["created_at"])),
        ("started", local_time(run["started_at"])),
        ("ended", local_time(run["ended_at"])),
        ("queued", duration(run["queued_seconds"])),
        ("ran", duration(elapsed(run, now))),
        ("request", run.get("request_note")),
        ("CPUs", number(run["num_cpus"])),
        ("GPUs", number(run["num_gpus"])),
        ("memory", _of_limit(run["peak_memory"], run["memory"])),
        ("GPU memory", _of_limit(run["peak_gpu_memory"], run["gpu_memory"])),
        ("CPU time", duration(run["cpu_seconds"])),
        ("time limit", duration(run["timeout_seconds"] or None)),
        ("priority", run["priority"] or None),
        ("node", run["node"]),
        ("process", run["pid"]),
        ("GPU numbers", ", ".join(map(str, run["gpu_ids"] or ()))),
        ("enforced by", ", ".join(f"{k}: {v}" for k, v in (run["enforcement"] or {}).items())),
        ("log", f"{size(run['log_bytes'])}, runyard logs {run['run_id']}" if run["log_bytes"] else ""),
    ]


def _named(name: str, module_id: str) -> str:
    return name if name == module_id else f"{name} ({module_id})"


def _of_limit(peak: int | None, limit: int) -> str:
    if not peak:
        return size(limit)
    return f"{size(peak)} at the peak" + (f", limit {size(limit)}" if limit else "")


def _painted(name: str, value: str) -> str:
    return paint(value, STATUS_COLOURS.get(value)) if name == "status" else value
