"""Submits and cancels that meet: whatever instant a cancel comes at, it is answered by what then holds.

The server's loop is ours in these tests, so the instants are chosen and not hit upon: while a coroutine here blocks
the loop, disk and writer go on, but nothing of the manager does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from runyard.server.models import BatchAccepted, Run
from runyard_actors.ids import new_id, new_ids
from runyard_actors.manager.messages import Accepted, Submission
from runyard_actors.request import Request
from runyard_actors.run import BatchId, BatchSpec, RunId, RunSpec
from tests.in_process import InProcess, in_process
from tests.support import wait_until


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("server"), max_concurrent_runs=2) as found:
        yield found


@pytest.fixture
def server(shared: InProcess) -> Iterator[InProcess]:
    """The server, with starts paused."""
    shared.call(shared.manager.pause())
    yield shared
    for run_id in list(shared.manager._yard.core._runs.entries):
        shared.call(shared.manager.cancel([run_id], None))


def submission(runs: int = 1, *, is_batch: bool = False, **fields: Any) -> Submission:
    """Return a submission of runs that would sleep."""
    batch_id = BatchId(new_id()) if is_batch else None
    specs = tuple(
        RunSpec(
            run_id=RunId(i),
            module_id="m",
            module_name="m",
            command=("sleep", "1000"),
            cwd="/",
            request=Request(cpu_milli=10, memory_bytes=2**20),
            batch_id=batch_id,
            **fields,
        )
        for i in new_ids(runs)
    )
    return Submission(runs=specs, batch=BatchSpec(batch_id=batch_id) if batch_id else None)


async def committed_but_not_queued(server: InProcess, one: Submission) -> asyncio.Task[Any]:
    """Submit, and return once it is on disk, and before anything but this coroutine could go on."""
    task = asyncio.create_task(server.manager.submit([one]))
    reader, ids = server.context.reader, [run.run_id for run in one.runs]
    # The submit goes as far as handing its runs to the writer; from then on the loop belongs to this wait.
    while not server.manager._yard.admitting._on_their_way:
        await asyncio.sleep(0)
    wait_until(lambda: len(reader.statuses(ids)) == len(ids), 10, "the submission is on disk")
    assert not task.done()
    return task


def statuses(server: InProcess, one: Submission) -> set[str]:
    """Return the statuses that the runs have on disk."""
    return {str(s) for s in server.context.reader.statuses([r.run_id for r in one.runs]).values()}


def test_a_cancel_between_commit_and_queue_cancels(server: InProcess) -> None:
    async def story() -> None:
        one = submission()
        task = await committed_but_not_queued(server, one)
        answer = await server.manager.cancel([one.runs[0].run_id], None)
        assert answer.gone == (one.runs[0].run_id,)
        assert statuses(server, one) == {"cancelled"}
        assert isinstance((await task)[0], Accepted)

    server.call(story())


def test_a_cancel_of_a_batch_between_commit_and_queue_cancels_all_of_it(server: InProcess) -> None:
    async def story() -> None:
        one = submission(5, is_batch=True)
        task = await committed_but_not_queued(server, one)
        assert one.batch is not None
        answer = await server.manager.cancel_batch(one.batch.batch_id, None)
        assert answer.gone == tuple(run.run_id for run in one.runs)
        assert statuses(server, one) == {"cancelled"}
        await task

    server.call(story())


def test_a_cancel_between_the_decision_to_start_and_the_start_stops_it(server: InProcess) -> None:
    async def story() -> None:
        one = submission()
        await server.manager.submit([one])
        await server.manager.resume()  # decides, and has not begun to carry it out
        answer = await server.manager.cancel([one.runs[0].run_id], None)
        assert answer.stopping == (one.runs[0].run_id,)
        await server.manager.pause()

    server.call(story())
    wait_until(lambda: not server.manager._yard.active, 20, "the attempt ended")


def test_a_cancel_of_a_run_that_was_just_dropped_hears_of_an_end_that_is_on_disk(server: InProcess) -> None:
    async def story() -> None:
        first = submission()
        second = submission(after=(first.runs[0].run_id,))
        await server.manager.submit([first])
        await server.manager.submit([second])
        ids = [one.runs[0].run_id for one in (first, second)]
        # The cancel of the first drops the second; that of the second is next in line.
        cancels = [asyncio.create_task(server.manager.cancel([i], None)) for i in ids]
        answer = await cancels[1]
        assert answer.ended == (ids[1],)
        assert statuses(server, second) == {"cancelled"}
        await cancels[0]

    server.call(story())


def test_a_repeat_while_the_first_is_not_answered_yet_gives_the_same_run(server: InProcess) -> None:
    body = {"command": ["sleep", "1000"], "memory": "1MiB", "num_cpus": 0.1}
    key = {"Idempotency-Key": "twins"}

    async def story() -> list[Any]:
        one = submission()
        keyed = Submission(runs=one.runs, idempotency_key="in one message", digest="d")
        twin = Submission(runs=submission().runs, idempotency_key="in one message", digest="d")
        other = Submission(runs=submission().runs, idempotency_key="in one message", digest="e")
        return list(await server.manager.submit([keyed, twin, other]))

    first, second, third = server.call(story())
    assert (first.run_ids, first.is_repeat, second.is_repeat) == (second.run_ids, False, True)
    assert type(third.error).__name__ == "ConflictError"
    with server.http() as http:
        answers = [http.post("/api/runs", json=body, headers=key) for _ in range(2)]
        assert [a.status_code for a in answers] == [202, 202]
        assert answers[0].json()["run_id"] == answers[1].json()["run_id"]
        assert http.post("/api/runs", json={**body, "priority": 1}, headers=key).status_code == 409


def test_a_repeat_gets_its_run_also_when_it_would_be_refused_by_now(server: InProcess) -> None:
    body = {"command": ["sleep", "1000"], "memory": "1MiB", "num_cpus": 0.1, "when_full": "reject"}
    with server.http() as http:
        keys = [{"Idempotency-Key": f"rejecting {n}"} for n in range(3)]
        answers = [http.post("/api/runs", json=body, headers=key) for key in keys]
        assert [a.status_code for a in answers] == [202, 202, 429]
        again = [http.post("/api/runs", json=body, headers=key) for key in keys]
        assert [a.status_code for a in again] == [202, 202, 429]
        assert [a.json()["run_id"] for a in again[:2]] == [a.json()["run_id"] for a in answers[:2]]


def test_the_answer_to_a_submit_is_a_whole_run(server: InProcess) -> None:
    body = {"command": ["sleep", "1000"], "memory": "1MiB", "num_cpus": 0.1, "labels": {"a": "b"}}
    with server.http() as http:
        answered = http.post("/api/runs", json=body).json()
        shown = http.get(f"/api/runs/{answered['run_id']}").json()
        assert Run.model_validate(answered)
        assert answered["waiting_for"] == shown["waiting_for"] == "starts are paused"
        again = http.post(f"/api/runs/{answered['run_id']}/restart").json()
    assert answered["queued_seconds"] <= shown.pop("queued_seconds")
    assert {**shown, "queued_seconds": answered["queued_seconds"]} == answered
    assert Run.model_validate(again).restarted_from == answered["run_id"]


def test_the_answer_to_a_batch_is_the_documented_one_to_the_last_field(server: InProcess) -> None:
    run = {"command": ["sleep", "1000"], "memory": "1MiB", "num_cpus": 0.1}
    key = {"Idempotency-Key": "a batch as documented"}
    with server.http() as http:
        for body in ({"runs": [run] * 3}, {"runs": [run], "name": "one", "max_concurrent": 1, "open": True}):
            answered = http.post("/api/batches", json=body).json()
            assert BatchAccepted.model_validate(answered).model_dump(mode="json") == answered
        answered = [http.post("/api/batches", json={"runs": [run] * 2}, headers=key).json() for _ in range(2)]
        assert answered[0]["runs"] == answered[1]["runs"]
        assert BatchAccepted.model_validate(answered[1]).model_dump(mode="json") == answered[1]
