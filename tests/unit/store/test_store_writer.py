"""What the writer records, and that it does so whole, in order and once."""

from __future__ import annotations

import asyncio
import math
import sys
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from runyard_actors.ids import new_id
from runyard_actors.request import Request
from runyard_actors.run import BatchId, Outcome, Reason, Status
from runyard_actors.store import StoreError, StoreReader, StoreUnavailable, StoreWriter, load_state
from runyard_actors.store.changes import (
    AttemptEnded,
    BatchCancelled,
    CancelRequested,
    Idempotency,
    ModuleDeleted,
    ModulePut,
    ProgressReported,
    Pruned,
    RunDropped,
    RunResumed,
    RunsSubmitted,
    RunSuspended,
    StartWithdrawn,
)
from runyard_cluster.database_url import Where
from runyard_cluster.errors import ConflictError
from tests.unit.store.making import AT, SECOND, ended, life, specs, started, starting, submitted


def kinds(reader: StoreReader) -> list[str]:
    return [event["kind"] for event in reader.events()]


def test_a_run_goes_from_queued_to_running_to_completed(writer: StoreWriter, reader: StoreReader) -> None:
    (run,) = specs(1)
    seen = []
    for change in (submitted([run]), starting(run), started(run), ended(run)):
        writer.write([change]).result()
        seen.append(reader.status(run.run_id))
    assert seen == [Status.QUEUED, Status.QUEUED, Status.RUNNING, Status.COMPLETED]
    assert kinds(reader) == ["run_submitted", "run_starting", "run_started", "run_ended"]


def test_all_changes_of_a_call_are_recorded_or_none(writer: StoreWriter, reader: StoreReader) -> None:
    (known,) = specs(1)
    fresh = specs(3, batch_id=BatchId("b"))
    writer.write([submitted([known])]).result()
    with pytest.raises(ConflictError):
        writer.write([submitted(fresh), submitted([known])]).result()
    assert reader.runs()[1] == 1
    assert reader.batch("b") is None


def test_a_call_at_fault_does_not_harm_those_it_shares_a_commit_with(
    writer: StoreWriter, reader: StoreReader
) -> None:
    (known,) = specs(1)
    writer.write([submitted([known])]).result()
    commits: list[int] = []
    writer.on_commit = commits.append
    others = specs(200)
    futures: list[tuple[bool, Future[None]]] = []
    for run in others:
        futures.append((True, writer.write([submitted([run])])))
        futures.append((False, writer.write([submitted(specs(2)), submitted([known])])))
    for is_good, future in futures:
        assert (future.exception() is None) is is_good
    writer.close()
    assert reader.runs()[1] == 201
    assert len(commits) < len(futures)
    assert commits[-1] == reader.last_seq() == 201


def test_callers_on_an_event_loop_hear_of_their_own_call_each(
    writer: StoreWriter, reader: StoreReader
) -> None:
    (known,) = specs(1)
    writer.write([submitted([known])]).result()

    async def answers() -> list[object]:
        others = [writer.write_beside([submitted([run])]) for run in specs(20)]
        again = writer.write_beside([submitted(specs(2)), submitted([known])])
        cancelled = writer.write_beside([])
        cancelled.cancel()
        found = await asyncio.gather(*others, again, cancelled, return_exceptions=True)
        writer.close()
        return [*found, *await asyncio.gather(writer.write_beside([]), return_exceptions=True)]

    *good, again, cancelled, closed = asyncio.run(answers())
    assert good == [None] * 20
    assert isinstance(again, ConflictError)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert isinstance(closed, StoreUnavailable)
    assert reader.runs()[1] == 21


def test_the_same_idempotency_key_is_accepted_once(writer: StoreWriter, reader: StoreReader) -> None:
    first, second = specs(2, batch_id=BatchId("b")), specs(1)
    key = Idempotency(key="k", digest="d")
    writer.write([RunsSubmitted(specs=first, created_at=AT, idempotency=key)]).result()
    with pytest.raises(ConflictError, match="idempotency key"):
        writer.write([RunsSubmitted(specs=second, created_at=AT, idempotency=key)]).result()
    known = reader.idempotent_answer("k")
    assert known is not None
    assert known.run_ids == tuple(run.run_id for run in first)
    assert reader.idempotent_answer("other") is None


def test_a_retry_queues_again_and_keeps_the_first_attempt(writer: StoreWriter, reader: StoreReader) -> None:
    (run,) = specs(1, max_retries=1)
    writer.write(
        [submitted([run]), starting(run), started(run), ended(run, code=3, will_retry=True)]
    ).result()
    shown = reader.run(run.run_id)
    assert shown is not None
    assert (shown["status"], shown["attempt"], shown["reason"], shown["pid"]) == ("queued", 1, None, None)
    writer.write([starting(run, 2), started(run, 2), ended(run, 2)]).result()
    assert [a["exit_code"] for a in reader.attempts(run.run_id)] == [3, 0]
    assert reader.status(run.run_id) is Status.COMPLETED


def test_every_change_may_be_repeated(writer: StoreWriter, reader: StoreReader) -> None:
    (run,) = specs(1)
    changes = life(run, code=1)
    writer.write([submitted([run])]).result()
    for change in changes:
        writer.write([change, change]).result()
    before = reader.run(run.run_id)
    writer.write(changes).result()
    assert reader.run(run.run_id) == before
    assert kinds(reader) == ["run_submitted", "run_starting", "run_started", "run_ended"]
    assert reader.stats()["counts"]["failed"] == 1


def test_a_suspension_is_noted_once_and_ends_with_its_attempt(
    writer: StoreWriter, reader: StoreReader
) -> None:
    (run,) = specs(1)
    held = RunSuspended(run_id=run.run_id, attempt=1, at=AT)
    goes_on = RunResumed(run_id=run.run_id, attempt=1, at=AT)

    def is_suspended() -> bool:
        shown = reader.run(run.run_id)
        assert shown is not None
        return bool(shown["suspended"])

    writer.write([submitted([run]), held, starting(run), goes_on, started(run)]).result()
    assert not is_suspended(), "it did not run yet"
    writer.write([held, held]).result()
    assert is_suspended()
    writer.write([goes_on, goes_on, held]).result()
    assert is_suspended()
    writer.write([ended(run, code=1, will_retry=True)]).result()
    assert not is_suspended()
    writer.write([starting(run, attempt=2), started(run, attempt=2), held]).result()
    assert not is_suspended(), "another attempt was meant"
    assert kinds(reader)[3:6] == ["run_suspended", "run_resumed", "run_suspended"]


def test_a_start_that_is_noted_after_the_end_changes_nothing(
    writer: StoreWriter, reader: StoreReader
) -> None:
    (run,) = specs(1)
    writer.write([submitted([run]), starting(run), ended(run), started(run)]).result()
    assert reader.status(run.run_id) is Status.COMPLETED


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("will_retry", [False, True])
def test_a_start_that_is_told_with_its_end_is_recorded_as_one_before_it(
    writer: StoreWriter, reader: StoreReader, code: int, will_retry: bool
) -> None:
    batch = BatchId(new_id())
    apart, together = runs = specs(2, batch_id=batch, max_retries=1)
    writer.write([submitted(runs), starting(apart), starting(together)]).result()
    end = ended(apart, code=code, will_retry=will_retry)
    writer.write([started(apart), end]).result()
    one = replace(end, run_id=together.run_id, started=started(together))
    writer.write([one, one]).result()
    # How long one that waits has waited is told by the clock.
    own = {"run_id": "", "batch_index": 0, "queued_seconds": 0}
    shown, other = ([{**found, **own} for found in (reader.run(run.run_id),) if found] for run in runs)
    assert shown == other
    tried, retried = ([{**each, **own} for each in reader.attempts(run.run_id)] for run in runs)
    assert tried == retried
    told, retold = ([e["kind"] for e in reader.events(0, 100) if e["run_id"] == run.run_id] for run in runs)
    assert told == retold
    assert sorted(filter(None, reader.stats()["counts"].values())) == [2]


def test_an_attempt_about_to_start_can_be_given_out_again(writer: StoreWriter, reader: StoreReader) -> None:
    (run,) = specs(1)
    writer.write([submitted([run]), starting(run), starting(run, nonce="n2")]).result()
    assert len(reader.attempts(run.run_id)) == 1
    writer.write([StartWithdrawn(run_id=run.run_id, attempt=1, at=AT)]).result()
    assert reader.attempts(run.run_id) == []
    shown = reader.run(run.run_id)
    assert shown is not None
    assert (shown["attempt"], shown["node"]) == (0, None)


def test_a_dropped_run_ends_without_an_attempt(writer: StoreWriter, reader: StoreReader) -> None:
    runs = specs(2)
    dropped = [
        RunDropped(run_id=run.run_id, reason=reason, detail="why", at=AT + SECOND)
        for run, reason in zip(runs, (Reason.CANCELLED_BY_USER, Reason.START_ERROR), strict=True)
    ]
    writer.write([submitted(runs), starting(runs[0]), *dropped]).result()
    shown = [reader.run(run.run_id) for run in runs]
    assert [s and s["status"] for s in shown] == ["cancelled", "failed"]
    assert [s and s["queued_seconds"] for s in shown] == [1.0, 1.0]
    assert reader.attempts(runs[0].run_id) == []


def test_a_running_run_is_not_dropped(writer: StoreWriter, reader: StoreReader) -> None:
    (run,) = specs(1)
    late = RunDropped(run_id=run.run_id, reason=Reason.CANCELLED_BY_USER, detail="late", at=AT)
    writer.write([submitted([run]), starting(run), started(run), late]).result()
    assert reader.status(run.run_id) is Status.RUNNING


def test_of_progress_only_the_newest_event_is_kept(writer: StoreWriter, reader: StoreReader) -> None:
    (run,) = specs(1)
    writer.write([submitted([run]), starting(run), started(run)]).result()
    for step in range(1, 6):
        writer.write([ProgressReported(run_id=run.run_id, progress=step / 10, at=AT)]).result()
    writer.write([ProgressReported(run_id=run.run_id, message="half way", at=AT)]).result()
    shown = reader.run(run.run_id)
    assert shown is not None
    assert (shown["progress"], shown["message"]) == (0.5, "half way")
    assert kinds(reader).count("run_progressed") == 1


def test_what_a_module_wrote_never_keeps_its_end_from_being_recorded(
    writer: StoreWriter, reader: StoreReader
) -> None:
    runs = specs(3)
    loop: list[object] = []
    loop.append(loop)
    for run, result in zip(runs, ({"x": math.nan}, loop, {"x": "\ud800"}), strict=True):
        outcome = Outcome(ended_at=AT, message="\ud800 broken", progress=math.inf, result=result)
        writer.write(
            [submitted([run]), starting(run), AttemptEnded(run_id=run.run_id, attempt=1, outcome=outcome)]
        ).result()
    shown = [reader.run(run.run_id) for run in runs]
    assert [s and s["status"] for s in shown] == ["completed"] * 3
    assert [s and s["message"] for s in shown] == ["? broken"] * 3
    assert [s and s["progress"] for s in shown] == [1.0] * 3
    assert [s and s["result"] for s in shown] == [None, None, {"x": "?"}]


def test_a_value_that_cannot_be_recorded_is_refused_and_the_writer_goes_on(
    writer: StoreWriter, reader: StoreReader
) -> None:
    with pytest.raises(StoreError):
        writer.write([submitted(specs(1, priority=2**70))]).result()
    with pytest.raises(StoreError):
        writer.write([submitted(specs(1, cwd="\ud800"))]).result()
    writer.write([submitted(specs(1))]).result()
    assert reader.runs()[1] == 1


def test_a_cancelled_batch_and_a_cancel_request_are_noted_once(
    writer: StoreWriter, reader: StoreReader
) -> None:
    (run,) = specs(1, batch_id=BatchId("b"))
    asked = CancelRequested(run_id=run.run_id, at=AT, detail="no more")
    over = BatchCancelled(batch_id=BatchId("b"), at=AT)
    writer.write([submitted([run]), starting(run), started(run), asked, asked, over, over]).result()
    assert kinds(reader)[-2:] == ["cancel_requested", "batch_cancelled"]


def test_the_module_registry_keeps_the_last_definition(writer: StoreWriter, reader: StoreReader) -> None:
    for name in ("Old", "New"):
        writer.write([ModulePut(module_id="train", definition={"name": name}, at=AT)]).result()
    assert reader.modules() == {"train": {"name": "New"}}
    writer.write([ModuleDeleted(module_id="train", at=AT)]).result()
    assert reader.modules() == {}


def test_pruning_forgets_ended_runs_and_leaves_the_others(writer: StoreWriter, reader: StoreReader) -> None:
    gone, stays = specs(3, batch_id=BatchId("old"), labels={"a": "b"}), specs(1)
    writer.write([submitted(gone), submitted(stays)]).result()
    writer.write([change for run in gone for change in life(run)]).result()
    cutoff = AT + 60 * SECOND
    ids = reader.ended_before(cutoff)
    assert ids == [run.run_id for run in gone]
    writer.write([Pruned(run_ids=[*ids, stays[0].run_id], before=cutoff)]).result()
    page, total = reader.runs()
    assert ([run["run_id"] for run in page], total) == ([stays[0].run_id], 1)
    assert reader.batch("old") is None
    assert reader.stats()["total"] == 1
    assert reader.events() == []


def test_event_numbers_are_never_used_twice(writer: StoreWriter, reader: StoreReader) -> None:
    (run,) = specs(1)
    writer.write([submitted([run]), *life(run)]).result()
    last = reader.last_seq()
    writer.write([Pruned(run_ids=[run.run_id], before=AT + 60 * SECOND)]).result()
    writer.write([submitted(specs(1))]).result()
    assert [event["seq"] for event in reader.events(last)] == [last + 1]


def test_a_second_writer_takes_over_and_the_first_records_nothing_any_more(
    where: Where, writer: StoreWriter, reader: StoreReader
) -> None:
    second = StoreWriter(where)
    with pytest.raises(StoreError, match="took over"):
        writer.write([submitted(specs(1))]).result()
    second.write([submitted(specs(1))]).result()
    second.close()
    assert reader.runs()[1] == 1


def test_a_closed_writer_has_recorded_what_it_was_given_and_refuses_more(
    writer: StoreWriter, reader: StoreReader
) -> None:
    for run in specs(50):
        writer.write([submitted([run])])
    writer.close()
    assert reader.runs()[1] == 50
    with pytest.raises(StoreUnavailable, match="closed"):
        writer.write([]).result()


def test_a_callback_that_fails_does_not_stop_the_writer(writer: StoreWriter, reader: StoreReader) -> None:
    def fail(seq: int) -> None:
        raise ValueError(seq)

    writer.on_commit = fail
    for run in specs(2):
        writer.write([submitted([run])]).result()
    assert reader.runs()[1] == 2


@pytest.mark.skipif(sys.platform == "win32", reason="its folders are private without file modes")
def test_the_database_is_for_its_owner_only(path: Path, writer: StoreWriter) -> None:
    writer.write([submitted(specs(1))]).result()
    files = list(path.parent.glob("runyard.sqlite3*"))
    assert len(files) == 3
    assert {f.stat().st_mode & 0o077 for f in files} == {0}


def test_a_retry_with_more_memory_asks_for_it_from_then_on(
    writer: StoreWriter, reader: StoreReader, where: Where
) -> None:
    # Given a run that grows by half when its memory was too little
    before = Request(cpu_milli=1000, memory_bytes=1 << 30, gpu_memory_bytes=2 << 30)
    (run,) = specs(1, request=before, retry_on_out_of_memory=1.5)
    writer.write([submitted([run]), starting(run), started(run)]).result()
    # When its attempt ended for that, and the end is written twice, as after an answer that was lost
    after = replace(before, memory_bytes=3 << 29)
    end = replace(ended(run, code=1, will_retry=True), request=after)
    writer.write([end]).result()
    writer.write([end]).result()
    # Then all who read it see what it asks for now
    shown = reader.run(run.run_id)
    assert shown is not None
    assert (shown["status"], shown["memory"], shown["gpu_memory"]) == ("queued", 3 << 29, 2 << 30)
    assert (shown["retry_on_out_of_memory"], shown["memory_retries"]) == (1.5, 1)
    assert reader.specs([run.run_id])[run.run_id] == replace(run, request=after, memory_retries=1)
    (queued,) = load_state(where).queued
    assert (queued.request, queued.attempts_used) == (after, 1)
