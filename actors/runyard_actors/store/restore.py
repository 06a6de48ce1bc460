"""The state that a manager starts from."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import lru_cache
from sys import intern
from typing import Any

from runyard_actors.request import Request
from runyard_actors.run import BatchId, BatchSpec, Placement, Reason, RunId, Status
from runyard_actors.store.database import Connection, database
from runyard_actors.store.queries import sql
from runyard_actors.store.records import ActiveAttempt, StoredRun, StoredState
from runyard_actors.terms import terms_from_json
from runyard_cluster.database_url import Where

#: Columns of `scheduling_columns`, which every query here begins with.
_RUN_COLUMNS = 14


def load_state(where: Where) -> StoredState:
    """Read all that has not ended, from one snapshot. Raises StoreUnavailable."""
    place = database(where)
    try:
        connection = None if place.identity() is None else place.open_reader()
        if connection is None:
            return StoredState()
        with closing(connection):
            connection.row_factory = None
            connection.execute("BEGIN")
            return _read(connection)
    except (sqlite3.Error, OSError) as error:
        raise place.unavailable(error) from error


def _read(connection: Connection) -> StoredState:
    request_of = lru_cache(maxsize=None)(_request)
    queued = [_stored_run(row, request_of) for row in connection.execute(sql("queued_runs"))]
    active = [_active(row, request_of) for row in connection.execute(sql("active_attempts"))]
    everything = [*queued, *(a.run for a in active)]
    batches, failures, next_indexes = _open_batches(connection, everything)
    ended, awaited = _dependencies(connection, everything)
    return StoredState(
        queued=queued,
        active=active,
        batches=batches,
        failures=failures,
        module_limits=_module_limits(connection, everything),
        ended=ended,
        awaited=awaited,
        next_indexes=next_indexes,
    )


def _stored_run(row: tuple[Any, ...], request_of: Any) -> StoredRun:
    run_id, module_id, batch_id, cpu, gpu, memory, gpu_memory, node, priority, *more = row
    after, terms, created_at, attempts, limit = more
    return StoredRun(
        run_id=run_id,
        module_id=intern(module_id),
        request=request_of(cpu, gpu, memory, gpu_memory, node),
        batch_id=None if batch_id is None else BatchId(intern(batch_id)),
        priority=priority,
        after=tuple(json.loads(after)) if after else (),
        attempts_used=attempts,
        max_concurrent=limit,
        terms=terms_from_json(json.loads(terms)) if terms else None,
        created_at=created_at,
    )


def _active(row: tuple[Any, ...], request_of: Any) -> ActiveAttempt:
    attempt, nonce, node, gpus, boot_id, claimed_at, started_at, pid, reason, detail = row[_RUN_COLUMNS:]
    of_run = (*row[: _RUN_COLUMNS - 2], attempt - 1, row[_RUN_COLUMNS - 1])
    return ActiveAttempt(
        run=_stored_run(of_run, request_of),
        attempt=attempt,
        nonce=nonce,
        placement=Placement(node=node, gpu_indexes=tuple(json.loads(gpus))),
        boot_id=boot_id,
        claimed_at=claimed_at,
        started_at=started_at,
        pid=pid,
        cancel_reason=Reason(reason) if reason else None,
        cancel_detail=detail,
    )


def _request(cpu: int, gpu: int, memory: int, gpu_memory: int, node: str | None) -> Request:
    return Request(
        cpu_milli=cpu, gpu_milli=gpu, memory_bytes=memory, gpu_memory_bytes=gpu_memory, node=node or ""
    )


def _open_batches(
    connection: Connection, runs: Iterable[StoredRun]
) -> tuple[dict[BatchId, BatchSpec], dict[BatchId, int], dict[BatchId, int]]:
    ids = sorted({run.batch_id for run in runs if run.batch_id is not None})
    batches: dict[BatchId, BatchSpec] = {}
    failures: dict[BatchId, int] = {}
    next_indexes: dict[BatchId, int] = {}
    for batch_id, name, max_concurrent, max_failures, is_open, failed, next_index in connection.execute(
        sql("open_batches"), (json.dumps(ids),)
    ):
        batches[batch_id] = BatchSpec(
            batch_id=batch_id,
            name=name,
            max_concurrent=max_concurrent,
            max_failures=max_failures,
            is_open=bool(is_open),
        )
        failures[batch_id] = failed
        if is_open:
            next_indexes[batch_id] = next_index
    return batches, failures, next_indexes


def _module_limits(connection: Connection, runs: Iterable[StoredRun]) -> dict[str, int]:
    """A module's limit is that of its newest run that names one, else that of the registry."""
    limits: dict[str, int] = {}
    for module_id, definition, _ in connection.execute(sql("modules")):
        if limit := json.loads(definition).get("max_concurrent"):
            limits[module_id] = limit
    limits |= {run.module_id: run.max_concurrent for run in runs if run.max_concurrent is not None}
    return limits


def _dependencies(connection: Connection, runs: list[StoredRun]) -> tuple[dict[RunId, bool], list[BatchId]]:
    open_ids = {run.run_id for run in runs}
    asked = sorted({before for run in runs for before in run.comes_after} - open_ids)
    rows = connection.execute(sql("statuses"), (json.dumps(asked),))
    found: dict[RunId, bool] = {run_id: status == Status.COMPLETED for run_id, status in rows}
    awaited = []
    for batch_id, is_ended, has_succeeded in connection.execute(sql("batch_ends"), (json.dumps(asked),)):
        if is_ended:
            found[RunId(batch_id)] = bool(has_succeeded)
        else:
            awaited.append(BatchId(batch_id))
            asked.remove(batch_id)
    # A dependency that was pruned had ended, and a failed one would have ended what comes after it.
    return {run_id: found.get(run_id, True) for run_id in asked}, awaited
