"""A run as a page: what was asked, how it went, why it ended so, and what it printed. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from runyard.export.log_part import LogPart
from runyard.export.page import facts, page, section, status, table, text
from runyard.export.timeline import bars, picture
from runyard_cluster.durations import format_duration
from runyard_cluster.sizes import format_size


def run_page(
    run: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]], log: LogPart, now: datetime
) -> str:
    """Return the whole file."""
    name = run["module_name"]
    body = [
        f"<h1>{text(name)} {status(run['status'])}</h1>",
        f'<p class="dim mono">{text(run["run_id"])}</p>',
        *([f"<p>{text(run['reason_detail'])}</p>"] if run["reason_detail"] else []),
        section("Timeline", picture(bars(run, attempts, now))),
        section("Log", *log_html(log)),
        section("What happened", facts(_happened(run))),
        section("What was asked", facts(_asked(run))),
        *([section("Attempts", _attempts(attempts))] if attempts else []),
        footer(now),
    ]
    return page(f"{name} {run['status']} · runyard", body)


def log_html(log: LogPart) -> list[str]:
    """Return a log, which says what of it is left out."""
    if not log.size:
        return ['<p class="dim">It printed nothing.</p>']
    if not log.left_out:
        return [f"<pre>{text(log.head)}</pre>"]
    words = (
        f"{format_size(log.left_out)} of {format_size(log.size)} are left out here: head and tail are kept"
    )
    return [f"<pre>{text(log.head)}</pre>", f'<p class="cut">{words}</p>', f"<pre>{text(log.tail)}</pre>"]


def footer(now: datetime) -> str:
    """Return when the page was made."""
    return f'<p class="dim" style="margin-top:2rem">As it was at {now:%Y-%m-%d %H:%M:%S} UTC. Made by runyard.</p>'


def took(run: Mapping[str, Any]) -> str:
    """Return how long a run ran, in words."""
    seconds = run["duration_seconds"]
    return "" if seconds is None else format_duration(seconds)


def _happened(run: Mapping[str, Any]) -> list[tuple[str, Any]]:
    origin = run.get("origin") or {}
    return [
        ("Status", run["status"]),
        ("Reason", run["reason"]),
        ("In words", run["reason_detail"]),
        ("Waits for", run.get("waiting_for")),
        ("Exit code", run["exit_code"]),
        ("Signal", run["signal"]),
        ("Message", run["message"]),
        ("Warning", run.get("warning")),
        ("Result", None if run.get("result") is None else json.dumps(run["result"], ensure_ascii=False)),
        ("Submitted", run["created_at"]),
        ("Started", run["started_at"]),
        ("Ended", run["ended_at"]),
        ("Ran for", took(run)),
        ("Peak memory", _size(run["peak_memory"])),
        ("Peak GPU memory", _size(run["peak_gpu_memory"])),
        ("CPU time", None if run["cpu_seconds"] is None else format_duration(run["cpu_seconds"])),
        ("Node", run["node"]),
        ("GPUs", ", ".join(map(str, run["gpu_ids"]))),
        ("Limits held by", _pairs(run["enforcement"] or {})),
        ("Python", " ".join(filter(None, (origin.get("python_version"), origin.get("python"))))),
        ("Packages", origin.get("packages")),
        (
            "Commit",
            f"{origin['commit']}{', with changes' if origin['dirty'] else ''}"
            if origin.get("commit")
            else None,
        ),
        ("Changed since", "; ".join(run.get("code_changed") or ())),
    ]


def _asked(run: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        ("Module", run["module_id"]),
        ("Command", shlex.join(run["command"])),
        ("Folder", run["cwd"]),
        ("Environment", ", ".join(run["env_keys"])),
        ("Labels", _pairs(run["labels"])),
        ("CPUs", f"{run['num_cpus']:g}"),
        ("GPUs", f"{run['num_gpus']:g}" if run["num_gpus"] else None),
        ("Memory", _size(run["memory"])),
        ("GPU memory", _size(run["gpu_memory"])),
        ("Timeout", format_duration(run["timeout_seconds"]) if run["timeout_seconds"] else None),
        ("Priority", run["priority"]),
        ("Retries", run["max_retries"]),
        ("Batch", run["batch_id"]),
        ("Restarted from", run["restarted_from"]),
    ]


def _attempts(attempts: Sequence[Mapping[str, Any]]) -> str:
    heads = ("Attempt", "Node", "Started", "Ran for", "Exit code", "Why it ended")
    return table(
        heads,
        [
            (
                text(each["attempt"]),
                text(each["node"]),
                text(each["started_at"]),
                text(took(each)),
                text(each["exit_code"]),
                text(each["reason_detail"] or each["reason"]),
            )
            for each in attempts
        ],
    )


def _size(count: int | None) -> str | None:
    return format_size(count) if count else None


def _pairs(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in given.items())
