"""What is shown of runs, batches and attempts, and what a starting manager is given."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from threading import Thread

import pytest

from runyard_actors.request import Request
from runyard_actors.run import BatchId, BatchSpec, Placement, Reason, Status
from runyard_actors.shipment import Shipment
from runyard_actors.store import StoredState, StoreReader, StoreWriter, load_state
from runyard_actors.store.changes import CancelRequested, ModulePut
from runyard_cluster.database_url import Where
from runyard_cluster.errors import InvalidRequestError, NotFoundError
from tests.unit.store.making import AT, SECOND, ended, life, specs, started, starting, submitted

FIELDS = {
    "terms",
    *("run_id", "module_id", "module_name", "batch_id", "batch_index", "status", "reason", "reason_detail"),
    *("code", "code_digest"),
    *("waiting_for", "command", "cwd", "env_keys", "num_cpus", "num_gpus", "memory", "gpu_memory"),
    *("timeout_seconds", "priority", "labels", "attempt", "max_retries", "node", "pid", "gpu_ids"),
    *("created_at", "started_at", "ended_at", "queued_seconds", "duration_seconds", "exit_code", "signal"),
    *("peak_memory", "peak_gpu_memory", "cpu_seconds", "log_bytes", "progress", "message", "result"),
    *("restarted_from", "enforcement", "ended_by", "expected_start", "expected_seconds", "suspended"),
    *(
        "args_from",
        "retry_on_out_of_memory",
        "memory_retries",
        "request_note",
        "notice",
        "origin",
        "code_changed",
        "warning",
        "stalled_since",
    ),
    "wanted_node",
    *("stall_after_seconds", "on_stall"),
}


def test_a_run_is_shown_with_every_field_and_no_value_of_its_environment(
    writer: StoreWriter, reader: StoreReader
) -> None:
    request = Request(cpu_milli=1500, gpu_milli=250, memory_bytes=2**30, gpu_memory_bytes=2**31)
    code = Shipment("0123456789abcdef" * 2, "/home/me/project")
    (run,) = specs(
        1,
        request=request,
        code=code,
        env={"TOKEN": "hunter2", "A": "1"},
        labels={"k": "v"},
        timeout_seconds=9.5,
    )
    writer.write([submitted([run]), *life(run)]).result()
    shown = reader.run(run.run_id)
    assert shown is not None
    assert set(shown) == FIELDS
    assert "hunter2" not in str(shown)
    expected = {
        "status": "completed",
        "command": ["python", "train.py"],
        "env_keys": ["A", "TOKEN"],
        "num_cpus": 1.5,
        "num_gpus": 0.25,
        "memory": 2**30,
        "gpu_memory": 2**31,
        "labels": {"k": "v"},
        "timeout_seconds": 9.5,
        "attempt": 1,
        "node": "ws1",
        "pid": 4242,
        "gpu_ids": [0],
        "exit_code": 0,
        "ended_by": "self",
        "created_at": "2026-05-28T20:26:40.000000Z",
        "started_at": "2026-05-28T20:26:42.000000Z",
        "queued_seconds": 2.0,
        "duration_seconds": 3.0,
        "enforcement": {"memory": "poll"},
        "waiting_for": None,
        "code": "ship",
        "code_digest": code.digest,
    }
    assert {name: shown[name] for name in expected} == expected
    assert reader.spec(run.run_id) == run


def test_what_goes_on_counts_until_now(writer: StoreWriter, reader: StoreReader) -> None:
    queued, running = specs(2)
    now = time.time_ns() // 1000
    begin = now - 60 * SECOND
    writer.write(
        [submitted([queued, running], at=begin), starting(running, at=begin), started(running, at=begin)]
    ).result()
    waits, runs = reader.run(queued.run_id), reader.run(running.run_id)
    assert waits is not None
    assert runs is not None
    assert waits["queued_seconds"] == pytest.approx(60, abs=10)
    assert waits["duration_seconds"] is None
    assert runs["duration_seconds"] == pytest.approx(60, abs=10)
    assert runs["queued_seconds"] == 0


def test_an_id_is_found_by_its_unique_start_and_the_newest_as_last(
    writer: StoreWriter, reader: StoreReader
) -> None:
    with pytest.raises(NotFoundError):
        reader.resolve("last")
    runs = specs(2)
    writer.write([submitted(runs)]).result()
    assert reader.resolve("last") == runs[1].run_id
    assert reader.resolve(runs[0].run_id.lower()) == runs[0].run_id
    # Ids begin with their time: two that were made beside each other may differ in all but the first letters.
    with pytest.raises(InvalidRequestError, match="more than one"):
        reader.resolve(runs[0].run_id[:1])
    for unknown in ("", "ZZZ", "../../etc/passwd", "%"):
        with pytest.raises(NotFoundError):
            reader.resolve(unknown)


def test_a_batch_tells_its_counts_progress_and_the_time_left(
    writer: StoreWriter, reader: StoreReader
) -> None:
    runs = specs(4, batch_id=BatchId("b"))
    begin = time.time_ns() // 1000 - 60 * SECOND
    writer.write([submitted(runs, at=begin, name="sweep", max_failures=3), starting(runs[0])]).result()
    batch = reader.batch("b")
    assert batch is not None
    assert (batch["total"], batch["progress"], batch["eta_seconds"], batch["ended_at"]) == (4, 0, None, None)
    writer.write(life(runs[0], at=begin) + life(runs[1], code=1, at=begin)).result()
    batch = reader.batch("b")
    assert batch is not None
    assert batch["counts"] == {"queued": 2, "running": 0, "completed": 1, "failed": 1, "cancelled": 0}
    assert batch["progress"] == 0.5
    assert batch["eta_seconds"] == pytest.approx(58, abs=10)
    writer.write([change for run in runs[2:] for change in life(run, at=begin)]).result()
    batch = reader.batch("b")
    assert batch is not None
    assert batch["ended_at"] is not None
    assert (batch["name"], batch["progress"], batch["eta_seconds"]) == ("sweep", 1, None)
    assert reader.batch_spec("b") == BatchSpec(batch_id=BatchId("b"), name="sweep", max_failures=3)
    assert reader.batch_run_ids("b") == [run.run_id for run in runs]


def test_batches_are_listed_newest_first(writer: StoreWriter, reader: StoreReader) -> None:
    for name in ("first", "second", "third"):
        writer.write([submitted(specs(2, batch_id=BatchId(name)))]).result()
    page, total = reader.batches(limit=2)
    assert ([batch["batch_id"] for batch in page], total) == (["third", "second"], 3)
    assert [batch["total"] for batch in page] == [2, 2]


def test_a_failed_run_that_was_restarted_is_not_offered_again(
    writer: StoreWriter, reader: StoreReader
) -> None:
    runs = specs(3, batch_id=BatchId("b"))
    writer.write([submitted(runs), *life(runs[0], 1), *life(runs[1], 1), *life(runs[2])]).result()
    assert reader.failed_specs("b") == runs[:2]
    again = specs(1, batch_id=BatchId("b"), restarted_from=runs[0].run_id)
    writer.write([submitted(again)]).result()
    assert reader.failed_specs("b") == [runs[1]]


def test_events_are_read_on_from_any_number(writer: StoreWriter, reader: StoreReader) -> None:
    (run,) = specs(1)
    writer.write([submitted([run]), *life(run, code=2)]).result()
    first = reader.events(0, 2)
    rest = reader.events(first[-1]["seq"])
    assert [e["kind"] for e in first + rest] == ["run_submitted", "run_starting", "run_started", "run_ended"]
    assert rest[-1]["data"]["status"] == "failed"
    assert rest[-1]["data"]["exit_code"] == 2
    assert reader.events(rest[-1]["seq"]) == []


def test_all_is_empty_while_there_is_no_database(path: Path, reader: StoreReader) -> None:
    assert reader.runs() == ([], 0)
    assert reader.run("x") is reader.batch("x") is reader.status("x") is reader.idempotent_answer("x") is None
    assert reader.batches() == ([], 0)
    assert reader.events() == reader.attempts("x") == []
    assert (reader.last_seq(), reader.modules(), reader.stats()["total"]) == (0, {}, 0)
    assert load_state(path) == StoredState()
    path.touch()
    assert reader.runs() == ([], 0)
    assert load_state(path) == StoredState()


def test_many_threads_read_while_the_writer_writes(writer: StoreWriter, reader: StoreReader) -> None:
    totals: list[list[int]] = [[] for _ in range(4)]

    def read(seen: list[int]) -> None:
        while not seen or seen[-1] < 200:
            seen.append(reader.runs()[1])

    threads = [Thread(target=read, args=(seen,)) for seen in totals]
    for thread in threads:
        thread.start()
    for run in specs(200):
        writer.write([submitted([run])])
    for thread in threads:
        thread.join()
    assert all(seen == sorted(seen) for seen in totals)


def test_a_starting_manager_gets_all_that_has_not_ended(where: Where, writer: StoreWriter) -> None:
    # Given an ended, a failed, a retried, an active and two queued runs
    done, bad, again, active, queued, last = runs = specs(
        6, batch_id=BatchId("b"), request=Request(cpu_milli=500), max_concurrent=2
    )
    writer.write([submitted(runs, max_failures=5)]).result()
    late = specs(1, after=(done.run_id, bad.run_id, queued.run_id), priority=3)
    writer.write(
        [submitted(late), ModulePut(module_id="m", definition={"max_concurrent": 7}, at=AT)]
    ).result()
    writer.write([*life(done), *life(bad, 1), starting(again), started(again)]).result()
    writer.write([ended(again, code=1, will_retry=True), starting(active), started(active)]).result()
    writer.write([CancelRequested(run_id=active.run_id, at=AT, reason=Reason.BATCH_CANCELLED)]).result()
    # When its state is read
    state = load_state(where)
    # Then nothing that is open is left out, and nothing that ended is in it
    assert [run.run_id for run in state.queued] == [r.run_id for r in (again, queued, last, *late)]
    assert [run.attempts_used for run in state.queued] == [1, 0, 0, 0]
    assert state.queued[0].request is state.queued[1].request
    (attempt,) = state.active
    assert (attempt.run.run_id, attempt.attempt, attempt.nonce) == (active.run_id, 1, "n1")
    assert attempt.run.attempts_used == 0
    assert attempt.placement == Placement(node="ws1", gpu_indexes=(0,))
    assert attempt.cancel_reason is Reason.BATCH_CANCELLED
    assert state.batches == {"b": BatchSpec(batch_id=BatchId("b"), max_failures=5)}
    assert state.failures == {"b": 1}
    assert state.module_limits == {"train": 2, "m": 7}
    assert state.ended == {done.run_id: True, bad.run_id: False}


def test_an_attempt_that_was_about_to_start_is_active_though_its_run_shows_as_queued(
    where: Where, writer: StoreWriter, reader: StoreReader
) -> None:
    (run,) = specs(1)
    writer.write([submitted([run]), starting(run)]).result()
    state = load_state(where)
    assert [a.run.run_id for a in state.active] == [run.run_id]
    assert state.queued == []
    assert reader.status(run.run_id) is Status.QUEUED


def test_the_size_of_the_database_is_told_and_grows(where: Where, reader: StoreReader) -> None:
    assert reader.size_bytes() == 0
    writer = StoreWriter(where)
    try:
        before = reader.size_bytes()
        # What can be compressed may be.
        texts = [secrets.token_hex(1_000) for _ in range(200)]
        writer.write([submitted([run for text in texts for run in specs(1, env={"LONG": text})])]).result()
        assert reader.size_bytes() - before > 200 * 1_000
    finally:
        writer.close()
