"""The timeline of a run as a picture: how long it waited, and each attempt after it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runyard.export.page import text
from runyard_cluster.durations import format_duration

_WIDTH, _LEFT, _ROW = 960, 120, 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A stretch of time; `start` and `end` are seconds since the run was submitted."""

    name: str
    kind: str
    start: float
    end: float


def bars(run: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]], now: datetime) -> list[Bar]:
    """Return what happened when: the wait before the first start, then each attempt."""
    created = datetime.fromisoformat(run["created_at"])

    def at(moment: str | None) -> float:
        then = now if moment is None else datetime.fromisoformat(moment)
        return max(0.0, (then - created).total_seconds())

    started = [each for each in attempts if each["started_at"]]
    first = started[0]["started_at"] if started else run["ended_at"]
    found = [Bar(name="queued", kind="queued", start=0.0, end=at(first))]
    for each in started:
        is_last = each is attempts[-1]
        kind = run["status"] if is_last else "failed"
        end = each["ended_at"] or (run["ended_at"] if is_last else None)
        found.append(
            Bar(name=f"attempt {each['attempt']}", kind=kind, start=at(each["started_at"]), end=at(end))
        )
    return found


def picture(found: Sequence[Bar]) -> str:
    """Return the bars as SVG, which says in words what it shows."""
    total = max((bar.end for bar in found), default=0.0) or 1.0
    scale = (_WIDTH - _LEFT - 110) / total
    height = _ROW * len(found) + 8
    words = ", ".join(f"{bar.name} for {_took(bar)}" for bar in found)
    rows = [_row(bar, 4 + number * _ROW, scale) for number, bar in enumerate(found)]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{text(words)}">\n'
        f'<line class="axis" x1="{_LEFT}" y1="0" x2="{_LEFT}" y2="{height}"/>\n'
        + "\n".join(rows)
        + "\n</svg>"
    )


def _row(bar: Bar, y: int, scale: float) -> str:
    x, width = _LEFT + bar.start * scale, max(2.0, (bar.end - bar.start) * scale)
    title = f"{bar.name}: {_took(bar)}, from {format_duration(bar.start)} after it was submitted"
    return (
        f'<g><title>{text(title)}</title><text x="0" y="{y + 14}">{text(bar.name)}</text>'
        f'<rect class="bar-{text(bar.kind)}" x="{x:.1f}" y="{y + 2}" width="{width:.1f}" height="16" rx="2"/>'
        f'<text x="{x + width + 6:.1f}" y="{y + 14}">{text(_took(bar))}</text></g>'
    )


def _took(bar: Bar) -> str:
    return format_duration(max(0.0, bar.end - bar.start))
