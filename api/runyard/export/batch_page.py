"""A batch as a page: its counts, a table of its runs, and the logs of those that failed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from runyard.export.log_part import LogPart
from runyard.export.page import facts, page, section, status, table, text
from runyard.export.run_page import footer, log_html, took


def batch_page(
    batch: Mapping[str, Any],
    runs: Sequence[Mapping[str, Any]],
    logs: Mapping[str, LogPart],
    now: datetime,
) -> str:
    """Return the whole file; `runs` may be the first of them only, `logs` are those of failed ones by run."""
    name = batch["name"] or f"Batch {batch['batch_id']}"
    counts = [f"{count} {kind}" for kind, count in batch["counts"].items() if count]
    failed = [run for run in runs if run["run_id"] in logs]
    body = [
        f"<h1>{text(name)}</h1>",
        f'<p class="dim mono">{text(batch["batch_id"])}</p>',
        f"<p>{text(', '.join(counts) or 'no runs')}</p>",
        section("Batch", facts(_facts(batch))),
        section("Runs", *_left_out("runs", batch["total"], len(runs)), _runs(runs, logs)),
        *(_failed(run, logs[run["run_id"]]) for run in failed),
        *_left_out("failed runs with their logs", batch["counts"]["failed"], len(failed)),
        footer(now),
    ]
    return page(f"{name} · runyard", body)


def _facts(batch: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        ("Submitted", batch["created_at"]),
        ("Started", batch["started_at"]),
        ("Ended", batch["ended_at"]),
        ("Cancelled", batch["cancelled_at"]),
        ("At most at once", batch["max_concurrent"]),
        ("Ends after failures", batch["max_failures"]),
    ]


def _runs(runs: Sequence[Mapping[str, Any]], logs: Mapping[str, LogPart]) -> str:
    return table(
        ("Index", "Run", "Module", "Status", "Ran for", "Exit code", "Why"),
        [
            (
                text(run["batch_index"]),
                _linked(run["run_id"], logs),
                text(run["module_name"]),
                status(run["status"]),
                text(took(run)),
                text(run["exit_code"]),
                text(run["reason_detail"]),
            )
            for run in runs
        ],
    )


def _linked(run_id: str, logs: Mapping[str, LogPart]) -> str:
    shown = f'<span class="mono">{text(run_id)}</span>'
    return f'<a href="#{text(run_id)}">{shown}</a>' if run_id in logs else shown


def _failed(run: Mapping[str, Any], log: LogPart) -> str:
    return (
        f'<section id="{text(run["run_id"])}">\n<h2>{text(run["module_name"])} {status(run["status"])}</h2>\n'
        f"<p>{text(run['reason_detail'])}</p>\n" + "\n".join(log_html(log)) + "\n</section>"
    )


def _left_out(what: str, total: int, shown: int) -> list[str]:
    if shown >= total:
        return []
    return [f'<p class="cut">The first {shown} of {total} {text(what)} are shown.</p>']
