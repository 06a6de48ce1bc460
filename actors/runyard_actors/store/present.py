"""Rows as JSON: a run, an attempt, a batch, as people and programs see them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from runyard_actors.request import WHOLE, Request
from runyard_actors.run import BatchId, BatchSpec, RunId, RunSpec, Status
from runyard_actors.shipment import Shipment
from runyard_actors.store.database import Row
from runyard_actors.terms import Terms, terms_from_json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = 1_000_000

#: Columns that a run's JSON has under the same name.
_PLAIN = (
    "run_id",
    "module_id",
    "module_name",
    "batch_id",
    "batch_index",
    "status",
    "reason",
    "reason_detail",
    "args_from",
    "cwd",
    "timeout_seconds",
    "stall_after_seconds",
    "on_stall",
    "priority",
    "attempt",
    "max_retries",
    "retry_on_out_of_memory",
    "memory_retries",
    "node",
    "wanted_node",
    "pid",
    "exit_code",
    "signal",
    "ended_by",
    "peak_memory",
    "peak_gpu_memory",
    "cpu_seconds",
    "log_bytes",
    "progress",
    "message",
    "warning",
    "restarted_from",
    "request_note",
    "notice",
)
#: Those of them that a run has from the beginning.
_PLAIN_OF_SPEC = tuple(field.name for field in fields(RunSpec) if field.name in _PLAIN)
_PLAIN_OF_ATTEMPT = (
    "run_id",
    "attempt",
    "node",
    "pid",
    "exit_code",
    "signal",
    "reason",
    "reason_detail",
    "ended_by",
    "peak_memory",
    "peak_gpu_memory",
    "cpu_seconds",
    "log_bytes",
)


def rfc3339(at: int | None) -> str | None:
    """Return microseconds since the epoch as text in UTC."""
    if at is None:
        return None
    moment = _EPOCH + timedelta(microseconds=at)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def run_json(row: Row, now: int) -> dict[str, Any]:
    """Return a run; what goes on counts until `now`. What only the manager knows is None."""
    start, end = row["started_at"], row["ended_at"]
    return {
        **{name: row[name] for name in _PLAIN},
        "waiting_for": None,
        "expected_start": None,
        "expected_seconds": None,
        "command": json.loads(row["command"]),
        "env_keys": sorted(json.loads(row["env"])),
        "labels": json.loads(row["labels"]),
        "num_cpus": row["cpu_milli"] / WHOLE,
        "num_gpus": row["gpu_milli"] / WHOLE,
        "memory": row["memory_bytes"],
        "gpu_memory": row["gpu_memory_bytes"],
        "gpu_ids": _loaded(row["gpu_ids"]) or [],
        "created_at": rfc3339(row["created_at"]),
        "started_at": rfc3339(start),
        "ended_at": rfc3339(end),
        "stalled_since": rfc3339(row["stalled_since"]),
        "queued_seconds": _seconds(row["queued_at"], _first(start, end, now)),
        "duration_seconds": None if start is None else _seconds(start, _first(end, now)),
        "suspended": row["suspended_at"] is not None,
        "origin": None,
        "code_changed": None,
        "result": _loaded(row["result"]),
        "enforcement": _loaded(row["enforcement"]),
        "terms": None if row["terms"] is None else _terms_json(terms_from_json(json.loads(row["terms"]))),
        "code": "shared" if row["code_digest"] is None else "ship",
        "code_digest": row["code_digest"],
    }


def accepted_json(spec: RunSpec, created_at: int) -> dict[str, Any]:
    """Return a run as `run_json` shows it at the moment it was accepted, without reading it."""
    request, now = spec.request, time.time_ns() // 1000
    return {
        **dict.fromkeys(_PLAIN),
        **{name: getattr(spec, name) for name in _PLAIN_OF_SPEC},
        "status": Status.QUEUED.value,
        "attempt": 0,
        "waiting_for": None,
        "expected_start": None,
        "expected_seconds": None,
        "command": list(spec.command),
        "env_keys": sorted(spec.env),
        "labels": dict(spec.labels),
        "num_cpus": request.cpu_milli / WHOLE,
        "num_gpus": request.gpu_milli / WHOLE,
        "memory": request.memory_bytes,
        "gpu_memory": request.gpu_memory_bytes,
        "wanted_node": request.node or None,
        "gpu_ids": [],
        "code": "shared" if spec.code is None else "ship",
        "code_digest": None if spec.code is None else spec.code.digest,
        "created_at": rfc3339(created_at),
        "started_at": None,
        "ended_at": None,
        "stalled_since": None,
        "queued_seconds": _seconds(created_at, now),
        "duration_seconds": None,
        "suspended": False,
        "origin": None,
        "code_changed": None,
        "result": None,
        "enforcement": None,
        "terms": None if spec.terms is None else _terms_json(spec.terms),
    }


def attempt_json(row: Row, now: int) -> dict[str, Any]:
    """Return one attempt of a run."""
    start, end = row["started_at"], row["ended_at"]
    return {
        **{name: row[name] for name in _PLAIN_OF_ATTEMPT},
        "gpu_ids": json.loads(row["gpu_indexes"]),
        "origin": _loaded(row["origin"]),
        "claimed_at": rfc3339(row["claimed_at"]),
        "started_at": rfc3339(start),
        "ended_at": rfc3339(end),
        "duration_seconds": None if start is None else _seconds(start, _first(end, now)),
    }


def batch_json(row: Row, counts: Mapping[str, int], now: int) -> dict[str, Any]:
    """Return a batch with its counts by status; `eta_seconds` goes by the pace so far, None without one."""
    by_status = {status.value: counts.get(status.value, 0) for status in Status}
    total = sum(by_status.values())
    ended = sum(by_status[status.value] for status in Status if status.is_ended)
    is_done = ended == total and not row["is_open"]
    elapsed = _seconds(_first(row["first_started_at"], now), now)
    return {
        "batch_id": row["batch_id"],
        "name": row["name"],
        "max_concurrent": row["max_concurrent"],
        "max_failures": row["max_failures"],
        "created_at": rfc3339(row["created_at"]),
        "started_at": rfc3339(row["first_started_at"]),
        "ended_at": rfc3339(_latest(row["last_ended_at"], row["closed_at"])) if is_done else None,
        "open": bool(row["is_open"]),
        "closed_at": rfc3339(row["closed_at"]),
        "notice": row["notice"],
        "cancelled_at": rfc3339(row["cancelled_at"]),
        "counts": by_status,
        "total": total,
        "progress": ended / total if total else float(is_done),
        "eta_seconds": elapsed * (total - ended) / ended if 0 < ended < total and elapsed else None,
    }


def event_json(row: Row) -> dict[str, Any]:
    """Return one event."""
    return {
        "seq": row["seq"],
        "at": rfc3339(row["at"]),
        "kind": row["kind"],
        "run_id": row["run_id"],
        "batch_id": row["batch_id"],
        "data": _loaded(row["data"]) or {},
    }


def run_spec(row: Row) -> RunSpec:
    """Return a run as it was submitted."""
    return RunSpec(
        run_id=RunId(row["run_id"]),
        module_id=row["module_id"],
        module_name=row["module_name"],
        command=tuple(json.loads(row["command"])),
        cwd=row["cwd"],
        env=json.loads(row["env"]),
        request=Request(
            cpu_milli=row["cpu_milli"],
            gpu_milli=row["gpu_milli"],
            memory_bytes=row["memory_bytes"],
            gpu_memory_bytes=row["gpu_memory_bytes"],
            node=row["wanted_node"] or "",
        ),
        timeout_seconds=row["timeout_seconds"],
        stall_after_seconds=row["stall_after_seconds"],
        on_stall=row["on_stall"],
        args_from=row["args_from"],
        priority=row["priority"],
        labels=json.loads(row["labels"]),
        max_retries=row["max_retries"],
        retry_on_out_of_memory=row["retry_on_out_of_memory"],
        memory_retries=row["memory_retries"],
        max_concurrent=row["max_concurrent"],
        after=tuple(RunId(r) for r in _loaded(row["after_runs"]) or ()),
        batch_id=BatchId(row["batch_id"]) if row["batch_id"] is not None else None,
        batch_index=row["batch_index"],
        restarted_from=RunId(row["restarted_from"]) if row["restarted_from"] is not None else None,
        request_note=row["request_note"],
        preload=None if row["preload"] is None else tuple(json.loads(row["preload"])),
        code=None if row["code_digest"] is None else Shipment(row["code_digest"], row["code_root"]),
        terms=None if row["terms"] is None else terms_from_json(json.loads(row["terms"])),
    )


def batch_spec(row: Row) -> BatchSpec:
    """Return a batch as it was submitted."""
    return BatchSpec(
        batch_id=BatchId(row["batch_id"]),
        name=row["name"],
        max_concurrent=row["max_concurrent"],
        max_failures=row["max_failures"],
        is_open=bool(row["is_open"]),
    )


def _terms_json(terms: Terms) -> dict[str, Any]:
    return {
        "after_any": list(terms.after_any),
        "after_failed": list(terms.after_failed),
        "delay_until": rfc3339(terms.not_before),
        "held": terms.is_held,
        "queue_timeout_seconds": terms.queue_timeout_seconds,
        "retry_delay_seconds": terms.retry_delay_seconds,
        "retry_backoff": terms.retry_backoff,
        "retry_delay_max_seconds": terms.retry_delay_max_seconds,
        "retry_exit_codes": None if terms.retry_exit_codes is None else list(terms.retry_exit_codes),
    }


def _loaded(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _latest(*values: int | None) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)


def _seconds(start: int, end: int) -> float:
    # The clock may have been set back in between; nothing lasted less than no time.
    return max(0, end - start) / _MICROSECONDS
