"""Submit: many runs into the tables at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runyard_actors.run import BatchSpec, RunSpec, Status
from runyard_actors.store.call import Call, to_json
from runyard_actors.store.changes import RunsSubmitted
from runyard_actors.store.queries import sql
from runyard_actors.terms import terms_to_json


def submit(call: Call, change: RunsSubmitted) -> None:
    """Record a submission: its key, its batch, its runs in order and its events.

    The key comes first: a repeat is refused before anything large is written for it.
    """
    if change.idempotency is not None:
        _put_key(call, change)
    if change.batch is not None:
        _put_batch(call, change.batch, change.created_at)
    first = int(call.cursor.execute(sql("last_run")).fetchone()[0]) + 1
    _put_runs(call, change, first)
    last = first + len(change.specs) - 1
    call.execute("insert_submit_events", {"first": first, "last": last})


def _put_batch(call: Call, batch: BatchSpec, created_at: int) -> None:
    call.execute(
        "put_batch",
        {
            "batch_id": batch.batch_id,
            "name": batch.name,
            "max_concurrent": batch.max_concurrent,
            "max_failures": batch.max_failures,
            "is_open": int(batch.is_open),
            "telling": to_json(dict(batch.telling)) if batch.telling else None,
            "created_at": created_at,
        },
    )
    call.event("batch_submitted", created_at, batch_id=batch.batch_id)


def _put_runs(call: Call, change: RunsSubmitted, first: int) -> None:
    numbered = list(enumerate(change.specs, start=first))
    texts = _Texts()
    execute = call.cursor.executemany
    execute(sql("insert_run"), [_run_row(seq, spec, change.created_at) for seq, spec in numbered])
    execute(sql("insert_spec"), [_spec_row(seq, spec, texts) for seq, spec in numbered])
    labels = [(key, value, seq) for seq, spec in numbered for key, value in spec.labels.items()]
    execute(sql("insert_label"), labels)
    execute(sql("insert_module_name"), list({(s.module_id, s.module_name): None for s in change.specs}))
    for seq, spec in numbered:
        call.counts.add(seq=seq, batch_id=spec.batch_id, module_id=spec.module_id, status=Status.QUEUED.value)


def _run_row(seq: int, spec: RunSpec, created_at: int) -> tuple[Any, ...]:
    request = spec.request
    return (
        seq,
        spec.run_id,
        spec.module_id,
        spec.module_name,
        spec.batch_id,
        spec.batch_index,
        request.cpu_milli,
        request.gpu_milli,
        request.memory_bytes,
        request.gpu_memory_bytes,
        spec.priority,
        spec.max_retries,
        spec.retry_on_out_of_memory,
        spec.memory_retries,
        spec.max_concurrent,
        to_json(spec.after) if spec.after else None,
        spec.restarted_from,
        request.node or None,
        created_at,
        created_at,
        None if spec.terms is None else to_json(terms_to_json(spec.terms)),
    )


def _spec_row(seq: int, spec: RunSpec, texts: _Texts) -> tuple[Any, ...]:
    return (
        seq,
        to_json(spec.command),
        spec.cwd,
        texts.of(spec.env),
        texts.of(spec.labels),
        spec.timeout_seconds,
        spec.args_from,
        spec.request_note,
        spec.stall_after_seconds,
        spec.on_stall,
        None if spec.preload is None else to_json(spec.preload),
        None if spec.code is None else spec.code.digest,
        None if spec.code is None else spec.code.root,
    )


class _Texts:
    """JSON texts of mappings that many runs of one submission share."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}

    def of(self, value: Mapping[str, str]) -> str:
        # By identity: the submission keeps every mapping alive for as long as this object lives.
        text = self._known.get(id(value))
        if text is None:
            text = self._known[id(value)] = to_json(dict(value))
        return text


def _put_key(call: Call, change: RunsSubmitted) -> None:
    assert change.idempotency is not None
    batch_id = change.batch.batch_id if change.batch else None
    values = {
        "key": change.idempotency.key,
        "digest": change.idempotency.digest,
        "batch_id": batch_id,
        "run_ids": to_json([spec.run_id for spec in change.specs]),
        "created_at": change.created_at,
    }
    call.execute("insert_idempotency", values)
