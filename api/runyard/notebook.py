"""Runs and batches as notebooks show them: a line or a small table, as HTML that holds no script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from runyard_cluster.durations import format_duration

#: Runs of a batch that are listed.
LISTED = 20
_COLOURS = {
    "queued": "#9a6700",
    "running": "#0969da",
    "completed": "#1a7f37",
    "failed": "#cf222e",
    "cancelled": "#6e7781",
}


def run_html(fields: Mapping[str, Any]) -> str:
    """Return one run as a table of its own."""
    return f"<table>{_HEAD}{_row(fields)}</table>"


def batch_html(batch_id: str, name: str | None, runs: Sequence[Mapping[str, Any]]) -> str:
    """Return a batch: how many runs stand where, and the first of them, those that did not complete in front."""
    counts = Counter(run["status"] for run in runs)
    words = ", ".join(f"{counts[status]} {_status(status)}" for status in _COLOURS if counts[status])
    order = sorted(runs, key=lambda run: run["status"] in ("completed", "queued"))
    more = f"<p>and {len(runs) - LISTED} more</p>" if len(runs) > LISTED else ""
    rows = "".join(_row(run) for run in order[:LISTED])
    title = f"<b>{escape(name or 'batch')}</b> <code>{escape(batch_id)}</code>: {words or 'no runs'}"
    return f"<div><p>{title}</p><table>{_HEAD}{rows}</table>{more}</div>"


_HEAD = "<tr><th>run</th><th>module</th><th>status</th><th>ran</th><th>why</th></tr>"


def _row(run: Mapping[str, Any]) -> str:
    seconds = run.get("duration_seconds")
    cells = (
        f"<code>{escape(str(run['run_id']))}</code>",
        escape(str(run.get("module_name") or run.get("module_id") or "")),
        _status(run["status"]),
        "" if seconds is None else format_duration(seconds),
        escape(str(run.get("reason_detail") or run.get("waiting_for") or "")),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _status(status: str) -> str:
    return f'<span style="color:{_COLOURS.get(status, "inherit")}">{escape(status)}</span>'
