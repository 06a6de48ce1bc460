"""Runs as a table and as a sheet of facts."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from runyard.cli.say import STATUS_COLOURS, clean, paint
from runyard.cli.view.table import Cell, Column, render
from runyard.cli.view.words import (
    ago,
    cause,
    duration,
    elapsed,
    local_time,
    number,
    percent,
    seconds_since,
    seconds_until,
    size,
)

Run = Mapping[str, Any]

_COMMON = (Column("RUN"), Column("STATUS"), Column("MODULE", gives_way=True))
_TIMES = (Column("CREATED"), Column("TIME", is_number=True))


def status_cell(run: Run) -> Cell:
    """Return a run's status in its colour."""
    words = f"{run['status']}, suspended" if run.get("suspended") else run["status"]
    return words, STATUS_COLOURS.get(run["status"])


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
    shown = _usage_columns(usage)
    rows = [_active_row(run, now, [each(use) for _, each in shown]) for run, use in _with_use(runs, usage)]
    used = [Column(name, is_number=True) for name, _ in shown]
    if any(run.get("expected_start") for run in runs):
        used.append(Column("STARTS IN", is_number=True))
        rows = [[*row[:-1], starts_in(run, now), row[-1]] for row, run in zip(rows, runs, strict=True)]
    return render((*columns, *used, Column("NOW", gives_way=True)), rows, width)


def starts_in(run: Run, now: datetime | None = None) -> str:
    """Return in how long a queued run is expected to start; nothing where nobody can tell."""
    return duration(seconds_until(run["expected_start"], now)) if run.get("expected_start") else ""


def _usage_columns(usage: Mapping[str, Run] | None) -> list[tuple[str, Callable[[Run], str]]]:
    """Return names and texts of what is measured; of GPUs only where a run uses one."""
    if usage is None:
        return []
    columns: list[tuple[str, Callable[[Run], str]]] = [
        ("CPU%", lambda use: f"{use['cpu_percent']:.0f}" if use else ""),
        ("USED", lambda use: size(use["memory"]) if use else ""),
    ]
    if any(use.get("gpu_memory") for use in usage.values()):
        columns += [
            ("GPU%", lambda use: "" if use.get("gpu_percent") is None else f"{use['gpu_percent']:.0f}"),
            ("GPU USED", lambda use: size(use["gpu_memory"]) if use.get("gpu_memory") else ""),
        ]
    return columns


def _with_use(runs: Sequence[Run], usage: Mapping[str, Run] | None) -> list[tuple[Run, Run]]:
    return [(run, (usage or {}).get(run["run_id"], {})) for run in runs]


def _active_row(run: Run, now: datetime | None, used: Sequence[str]) -> list[Any]:
    return [
        run["run_id"],
        status_cell(run),
        run["module_name"],
        ago(run["created_at"], now),
        duration(elapsed(run, now)),
        number(run["num_cpus"]),
        size(run["memory"]),
        *used,
        what_now(run, now),
    ]


def what_now(run: Run, now: datetime | None = None) -> str:
    """Return what a run that has not ended does or waits for, and what is wrong with it."""
    if run["status"] == "queued":
        return run["waiting_for"] or ""
    said = f"{percent(run['progress'])} {run['message'] or ''}".strip()
    return "; ".join(words for words in (_stalled(run, now), run.get("warning"), said) if words)


def _stalled(run: Run, now: datetime | None) -> str:
    since = run.get("stalled_since")
    return f"no sign of life for {duration(seconds_since(since, now))}" if since else ""


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
        ("starts", _expected(run, now)),
        ("progress", f"{percent(run['progress'])} {run['message'] or ''}".strip()),
        ("warning", run.get("warning")),
        ("tells", ", ".join(each["name"] for each in run.get("tells") or ())),
        ("not told", run.get("notice")),
        ("stalled", _stalled(run, now)),
        ("suspended", "yes, 'runyard resume RUN' lets it go on" if run.get("suspended") else ""),
        ("result", run["result"]),
        ("exit code", run["exit_code"]),
        ("signal", run["signal"]),
        ("command", shlex.join(run["command"])),
        ("folder", run["cwd"]),
        ("environment", ", ".join(run["env_keys"])),
        ("labels", ", ".join(f"{k}={v}" for k, v in run["labels"].items())),
        ("batch", batch),
        ("restarted from", run["restarted_from"]),
        ("changed since", "; ".join(run.get("code_changed") or ())),
        *_origin_facts(run.get("origin") or {}),
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
        ("stalls after", duration(run.get("stall_after_seconds") or None)),
        ("priority", run["priority"] or None),
        ("node", run["node"]),
        ("process", run["pid"]),
        ("GPU numbers", ", ".join(map(str, run["gpu_ids"] or ()))),
        ("enforced by", ", ".join(f"{k}: {v}" for k, v in (run["enforcement"] or {}).items())),
        ("log", f"{size(run['log_bytes'])}, runyard logs {run['run_id']}" if run["log_bytes"] else ""),
    ]


def _expected(run: Run, now: datetime | None) -> str:
    words = starts_in(run, now)
    return f"in about {words}, if runs take what they usually do" if words else ""


def _named(name: str, module_id: str) -> str:
    return name if name == module_id else f"{name} ({module_id})"


def _of_limit(peak: int | None, limit: int) -> str:
    if not peak:
        return size(limit)
    return f"{size(peak)} at the peak" + (f", limit {size(limit)}" if limit else "")


def _painted(name: str, value: str) -> str:
    return paint(value, STATUS_COLOURS.get(value)) if name == "status" else value


def _origin_facts(origin: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return what the newest attempt came from; the digest of the packages says nothing to people."""
    commit = (origin.get("commit") or "")[:10]
    version = origin.get("python_version")
    return [
        ("code", f"commit {commit}{', with changes' if origin.get('dirty') else ''}" if commit else ""),
        ("Python", f"{version} ({origin.get('python')})" if version else ""),
    ]
