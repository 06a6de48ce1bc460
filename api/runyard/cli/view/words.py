"""Figures of a run in words for people: times, sizes, causes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from runyard.cli.say import clean, is_terminal
from runyard_cluster.durations import format_duration
from runyard_cluster.sizes import format_size

NOTHING = "-"


def duration(seconds: float | None) -> str:
    """Return "1.2 s", or a dash."""
    return NOTHING if seconds is None else format_duration(max(0.0, seconds))


def size(count: int | None) -> str:
    """Return "4.3 GiB", or a dash for none."""
    return format_size(count) if count else NOTHING


def number(value: float | None) -> str:
    """Return a number without needless zeros, or a dash for none."""
    return f"{value:g}" if value else NOTHING


def percent(progress: float | None) -> str:
    """Return "40%", or nothing."""
    return "" if progress is None else f"{progress:.0%}"


def local_time(moment: str | None) -> str:
    """Return an RFC 3339 date in the local zone, to the second."""
    return (
        NOTHING
        if moment is None
        else datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    )


def ago(moment: str | None, now: datetime | None = None) -> str:
    """Return how long ago something was."""
    return NOTHING if moment is None else f"{duration(seconds_since(moment, now))} ago"


def seconds_since(moment: str, now: datetime | None = None) -> float:
    """Return the seconds from a date until now, never negative."""
    return max(0.0, ((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds())


def seconds_until(moment: str, now: datetime | None = None) -> float:
    """Return the seconds until a date, never negative."""
    return max(0.0, (datetime.fromisoformat(moment) - (now or datetime.now(UTC))).total_seconds())


def elapsed(run: Mapping[str, Any], now: datetime | None = None) -> float | None:
    """Return how long a run ran, or has been running."""
    if run.get("duration_seconds") is not None:
        return float(run["duration_seconds"])
    if run.get("started_at") and not run.get("ended_at"):
        return seconds_since(run["started_at"], now)
    return None


def cause(run: Mapping[str, Any]) -> str:
    """Return why a run did not complete, as one line."""
    return clean(run.get("reason_detail") or (run.get("reason") or "").replace("_", " "))


def plural(count: int, noun: str) -> str:
    """Return "1 run", "2 runs"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}{'es' if noun.endswith('ch') else 's'}"


def window_width() -> int | None:
    """Return the width that tables must fit, or None when no terminal looks at them."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None
