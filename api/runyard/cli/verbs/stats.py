"""`runyard stats`: counts, throughput, waiting times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runyard.cli.say import STATUS_COLOURS, put, put_json
from runyard.cli.verb import Options, verb
from runyard.cli.view.table import Column, render
from runyard.cli.view.words import duration, window_width


@verb(
    help="Count runs by status and module; throughput and waiting times. Works without a server.",
    examples="runyard stats --json",
)
def command(options: Options) -> None:
    """Print the statistics."""
    found = options.source().stats()
    if options.is_json:
        put_json(found)
    else:
        put(stats_text(found, window_width()))


def stats_text(stats: Mapping[str, Any], width: int | None) -> str:
    """Return statistics as a table of counts and lines below."""
    columns = (Column("MODULE", gives_way=True), *(Column(s.upper(), is_number=True) for s in STATUS_COLOURS))
    rows = [[name, *_counts(counts)] for name, counts in sorted(stats["modules"].items())]
    rows.append(["all", *_counts(stats["counts"])])
    ended = ", ".join(f"{n} in the {span.replace('_', ' ')}" for span, n in stats["ended"].items())
    waits = stats["queued_seconds"]
    waited = ", ".join(f"{name} {duration(waits[name])}" for name in ("mean", "p50", "p95", "max"))
    return f"{render(columns, rows, width)}\n\nended   {ended}\nwaited  {waited}"


def _counts(counts: Mapping[str, int]) -> list[str]:
    return [str(counts.get(status, 0)) for status in STATUS_COLOURS]
