"""Past runs of a module, as one learns from them: a walk along one index, however long the history is."""

from __future__ import annotations

from runyard_actors.learning.past import PastRun
from runyard_actors.request import Request
from runyard_actors.run import Reason, Status
from runyard_actors.store.database import Connection, Row
from runyard_actors.store.queries import sql


def runs(connection: Connection, module_id: str, limit: int, *, with_failed: bool = False) -> list[PastRun]:
    """Return the newest runs of a module that completed, or that completed or failed, newest first."""
    statuses = (Status.COMPLETED, Status.FAILED) if with_failed else (Status.COMPLETED,)
    rows = [
        row
        for status in statuses
        for row in connection.execute(sql("past_runs"), (module_id, status.value, limit))
    ]
    rows.sort(key=lambda row: row["seq"], reverse=True)
    return [_past_run(row) for row in rows[:limit]]


def _past_run(row: Row) -> PastRun:
    return PastRun(
        request=Request(
            cpu_milli=row["cpu_milli"],
            gpu_milli=row["gpu_milli"],
            memory_bytes=row["memory_bytes"],
            gpu_memory_bytes=row["gpu_memory_bytes"],
        ),
        reason=None if row["reason"] is None else Reason(row["reason"]),
        peak_memory=row["peak_memory"],
        peak_gpu_memory=row["peak_gpu_memory"],
        cpu_seconds=row["cpu_seconds"],
        seconds=None if row["duration"] is None else row["duration"] / 1_000_000,
        memory_retries=row["memory_retries"],
    )
