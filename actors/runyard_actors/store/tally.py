"""Numbers over many runs: batches with their counts, and the store's statistics."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from runyard_actors.run import Status
from runyard_actors.store.counts import ANY
from runyard_actors.store.database import Connection, Row
from runyard_actors.store.present import batch_json
from runyard_actors.store.queries import sql

#: Spans that throughput is told for, in seconds.
_SPANS = {"last_minute": 60, "last_hour": 3_600, "last_day": 86_400}


def batches(connection: Connection, rows: Sequence[Row], now: int) -> list[dict[str, Any]]:
    """Return the batches of these rows with their counts by status."""
    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    ids = json.dumps([row["batch_id"] for row in rows])
    for batch_id, status, count in connection.execute(sql("batch_counts"), (ids,)):
        counts[batch_id][status] = count
    return [batch_json(row, counts[row["batch_id"]], now) for row in rows]


def stats(connection: Connection, now: int) -> dict[str, Any]:
    """Return counts by status and module, throughput, and waiting times in seconds."""
    by_module: defaultdict[str, dict[str, int]] = defaultdict(_zeros)
    for module_id, status, count in connection.execute(sql("module_counts")):
        by_module[module_id][status] = count
    by_status = by_module.pop(ANY, _zeros())
    ended = {
        span: connection.execute(sql("ended_since"), (now - seconds * 1_000_000,)).fetchone()[0]
        for span, seconds in _SPANS.items()
    }
    waits = sorted(row[0] / 1_000_000 for row in connection.execute(sql("recent_waits")))
    return {
        "counts": by_status,
        "total": sum(by_status.values()),
        "modules": dict(by_module),
        "ended": ended,
        "queued_seconds": _spread(waits),
    }


def no_stats() -> dict[str, Any]:
    """Return the statistics of a store that holds nothing."""
    return {
        "counts": _zeros(),
        "total": 0,
        "modules": {},
        "ended": dict.fromkeys(_SPANS, 0),
        "queued_seconds": _spread([]),
    }


def _zeros() -> dict[str, int]:
    return {status.value: 0 for status in Status}


def _spread(ordered: Sequence[float]) -> dict[str, float | None]:
    """Return mean, median, 95th percentile and maximum of ascending values."""
    if not ordered:
        return dict.fromkeys(("mean", "p50", "p95", "max"))
    return {
        "mean": sum(ordered) / len(ordered),
        "p50": ordered[len(ordered) // 2],
        "p95": ordered[len(ordered) * 95 // 100],
        "max": ordered[-1],
    }
