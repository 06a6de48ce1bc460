"""What `batch` shows, as text made from the state alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from runyard.cli.say import STATUS_COLOURS, clean, paint
from runyard.cli.tally import Tally
from runyard.cli.view.run_table import what_now
from runyard.cli.view.table import Column, cut, render
from runyard.cli.view.words import cause, duration, elapsed, plural

Run = Mapping[str, Any]

#: Lines of the live view beside the active runs: bar, counts, header, "and n more", and one to spare.
LINES_AROUND = 5
BAR_WIDTH = 40
#: Failed runs listed at the end.
SHOWN_FAILURES = 20
#: Modules that are given advice at the end.
SHOWN_ADVICE = 5


def ended_line(run: Run, tally: Tally) -> str:
    """Return the line of a run that just ended: `[12/50] failed  parse-json  exit code 3  (0.8 s)`."""
    width = len(str(tally.total))
    status = paint(run["status"], STATUS_COLOURS.get(run["status"]))
    parts = [f"[{tally.ended:>{width}}/{tally.total}] {status}", clean(run["module_name"]), cause(run)]
    ran = elapsed(run)
    return "  ".join(part for part in parts if part) + (f"  ({duration(ran)})" if ran is not None else "")


def live_lines(tally: Tally, elapsed_seconds: float, width: int, height: int, now: datetime) -> list[str]:
    """Return the live view: one bar, the counts, and as many active runs as the window holds."""
    lines = [bar(tally, elapsed_seconds, width), cut_counts(tally, width)]
    active = sorted(tally.running(), key=lambda run: run["started_at"] or "")
    room = max(1, height - LINES_AROUND)
    if active:
        lines += _active_table(active[:room], width, now).split("\n")
    if len(active) > room:
        lines.append(f"and {len(active) - room} more running")
    return lines


def bar(tally: Tally, elapsed_seconds: float, width: int) -> str:
    """Return the overall bar with percentage, elapsed time and the time left."""
    progress = tally.progress
    left = tally.eta_seconds(elapsed_seconds)
    words = f" {progress:4.0%}  {duration(elapsed_seconds)}"
    words += f"  {duration(left)} left" if left is not None else ""
    room = max(0, min(BAR_WIDTH, width - len(words)))
    full = round(progress * room)
    colour = "red" if tally.has_failed else "green"
    return paint("━" * full, colour) + "─" * (room - full) + cut(words, width - room)


def cut_counts(tally: Tally, width: int) -> str:
    """Return the counts by status, those above zero, within the width."""
    parts = [(f"{tally.counts[s]} {s}", s) for s in STATUS_COLOURS if tally.counts[s] > 0]
    if len(" · ".join(text for text, _ in parts)) > width:
        return cut(f"{tally.ended} of {tally.total}", width)
    return " · ".join(paint(text, STATUS_COLOURS[status]) for text, status in parts)


def summary(tally: Tally, elapsed_seconds: float, name: str | None, batch_id: str, width: int | None) -> str:
    """Return what `batch` ends with: the counts, and a table of what did not complete."""
    counts = [f"{tally.counts[s]} {s}" for s in STATUS_COLOURS if tally.counts[s] > 0]
    title = f"batch {clean(name or batch_id)}: {plural(tally.total, 'run')} in {duration(elapsed_seconds)}: "
    lines = [title + ", ".join(counts)]
    if tally.failures:
        lines += ["", _failure_table(tally.failures[:SHOWN_FAILURES], width)]
    left = tally.counts["failed"] + tally.counts["cancelled"] - SHOWN_FAILURES
    if left > 0:
        lines.append(
            f"and {left} more: runyard history --batch {batch_id} --status failed --status cancelled"
        )
    return "\n".join(lines)


def advice_lines(advice: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each module that could ask for something better."""
    return [f"{clean(each['module_id'])} {clean(each['sentence'])}" for each in advice[:SHOWN_ADVICE]]


def _active_table(runs: Sequence[Run], width: int, now: datetime) -> str:
    columns = (
        Column("RUNNING", gives_way=True),
        Column("TIME", is_number=True),
        Column("NOW", gives_way=True),
    )
    rows = [
        [run["module_name"], duration(elapsed({**run, "duration_seconds": None}, now)), what_now(run)]
        for run in runs
    ]
    return render(columns, rows, width)


def _failure_table(runs: Sequence[Run], width: int | None) -> str:
    columns = (
        Column("ROW", is_number=True),
        Column("STATUS"),
        Column("MODULE", gives_way=True),
        Column("WHY", gives_way=True),
        Column("LOG"),
    )
    rows = [
        [
            "" if run["batch_index"] is None else str(run["batch_index"] + 1),
            (run["status"], STATUS_COLOURS.get(run["status"])),
            run["module_name"],
            cause(run),
            f"runyard logs {run['run_id']}" if run["started_at"] else "",
        ]
        for run in runs
    ]
    return render(columns, rows, width)
