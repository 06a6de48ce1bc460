"""Batches that stay open: runs are added until they are closed, over REST, from Python and from the command line."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from runyard.module import Module, body_of
from runyard_cluster.errors import ConflictError, InvalidRequestError
from tests.in_process import InProcess, in_process
from tests.rest import assert_problem, run_count, submit, wait_ended
from tests.support import python, wait_until

GOOD = {"command": python("pass"), "num_cpus": 0.1, "memory": "64MiB"}
BAD = {**GOOD, "command": python("raise SystemExit(3)")}


def opened(client: httpx.Client, **batch: Any) -> str:
    response = client.post("/api/batches", json={"open": True, **batch})
    assert response.status_code == 202, response.text
    assert response.json()["open"]
    return str(response.json()["batch_id"])


def added(client: httpx.Client, batch_id: str, *runs: dict[str, Any], key: str = "") -> list[dict[str, Any]]:
    headers = {"Idempotency-Key": key} if key else {}
    response = client.post(f"/api/batches/{batch_id}/runs", json={"runs": runs}, headers=headers)
    assert response.status_code == 202, response.text
    found: list[dict[str, Any]] = response.json()["runs"]
    return found


def test_an_open_batch_has_not_ended_before_it_is_closed(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        batch_id = opened(client, name="photos")
        shown = f"/api/batches/{batch_id}"
        assert (client.get(shown).json()["total"], client.get(shown).json()["progress"]) == (0, 0.0)
        first = added(client, batch_id, GOOD, GOOD)
        second = added(client, batch_id, BAD)
        assert [run["batch_index"] for run in (*first, *second)] == [0, 1, 2]
        for run in (*first, *second):
            wait_ended(client, run["run_id"])
        batch = client.get(shown).json()
        assert (batch["open"], batch["ended_at"], batch["progress"]) == (True, None, 1.0)
        closed = client.post(f"{shown}/close").json()
        assert not closed["open"]
        assert closed["ended_at"] == closed["closed_at"]
        assert client.post(f"{shown}/close").json() == closed, "closing again is no error"
        assert_problem(client.post(f"{shown}/runs", json={"runs": [GOOD]}), 409, "is closed")
        retried = client.post(f"{shown}/retry-failed").json()["runs"]
        wait_ended(client, retried[0]["run_id"])
        assert not client.get(shown).json()["open"]


def test_additions_are_all_or_nothing_and_known_by_their_key(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        batch_id = opened(client)
        path = f"/api/batches/{batch_id}/runs"
        assert_problem(client.post(path, json={"runs": [GOOD, {"command": []}]}), 422, '"index": 1')
        assert_problem(client.post(path, json={"runs": [GOOD, {**GOOD, "memory": "900TiB"}]}), 422)
        assert_problem(client.post(path, json={"runs": []}), 422, "runs")
        assert_problem(client.post("/api/batches", json={"runs": []}), 422, "only an open batch")
        assert run_count(client) == 0
        once = added(client, batch_id, GOOD, GOOD, key="once")
        client.post(f"/api/batches/{batch_id}/close")
        assert [run["run_id"] for run in added(client, batch_id, GOOD, GOOD, key="once")] == [
            run["run_id"] for run in once
        ], "the answer to a key holds although the batch is closed"
        assert_problem(
            client.post(path, json={"runs": [GOOD]}, headers={"Idempotency-Key": "once"}), 409, "key"
        )
        assert run_count(client) == 2
        usual = client.post("/api/batches", json={"runs": [GOOD]}).json()["batch_id"]
        assert_problem(client.post(f"/api/batches/{usual}/runs", json={"runs": [GOOD]}), 409, "is closed")
        nobody = client.post("/api/batches/01AAAAAAAAAAAAAAAAAAAAAAAA/runs", json={"runs": [GOOD]})
        assert_problem(nobody, 404)


def test_an_open_batch_keeps_its_limits_while_it_has_no_runs(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        batch_id = opened(client, max_failures=2)
        for run in (*added(client, batch_id, BAD), *added(client, batch_id, BAD)):
            wait_ended(client, run["run_id"])
        late = wait_ended(client, added(client, batch_id, GOOD)[0]["run_id"])
        assert (late["status"], late["reason"]) == ("cancelled", "batch_cancelled")
        narrow = opened(client, max_concurrent=1)
        runs = added(client, narrow, GOOD, {**GOOD, "command": python("import time; time.sleep(60)")}, GOOD)
        wait_ended(client, runs[0]["run_id"])
        last = f"/api/runs/{runs[2]['run_id']}"
        wait_until(lambda: "slots of batch" in (client.get(last).json()["waiting_for"] or ""), 20)
        client.patch(f"/api/batches/{narrow}", json={"max_concurrent": 3})
        wait_ended(client, added(client, narrow, GOOD)[0]["run_id"])


def test_it_stays_open_over_a_restart_with_limits_and_indexes(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        batch_id = opened(client, max_failures=1, runs=[GOOD])
        wait_ended(client, added(client, batch_id, GOOD)[0]["run_id"])
    with in_process(tmp_path) as server, server.http() as client:
        more = added(client, batch_id, BAD)
        assert more[0]["batch_index"] == 2
        wait_ended(client, more[0]["run_id"])
        assert wait_ended(client, added(client, batch_id, GOOD)[0]["run_id"])["reason"] == "batch_cancelled"
        client.post(f"/api/batches/{batch_id}/close")
    with in_process(tmp_path) as server, server.http() as client:
        path = f"/api/batches/{batch_id}/runs"
        assert_problem(client.post(path, json={"runs": [GOOD]}), 409, "is closed")


def test_a_cancelled_batch_is_closed(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        batch_id = opened(client, runs=[{**GOOD, "hold": True}])
        cancelled = client.post(f"/api/batches/{batch_id}/cancel").json()
        assert (cancelled["open"], cancelled["counts"]["cancelled"]) == (False, 1)
        path = f"/api/batches/{batch_id}/runs"
        assert_problem(client.post(path, json={"runs": [GOOD]}), 409, "is closed")


def test_what_comes_after_an_open_batch_waits_until_it_is_closed_and_ended(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        batch_id = opened(client, name="fetch")
        two = {"runs": [GOOD, GOOD], "after_batch": "fetch"}
        after = [run["run_id"] for run in client.post("/api/batches", json=two).json()["runs"]]
        tidy = submit(client, **GOOD, after_any=[batch_id])["run_id"]
        alarm = submit(client, **GOOD, after_failed=[batch_id])["run_id"]
        wait_ended(client, added(client, batch_id, GOOD)[0]["run_id"])
        for waiting in (*after, tidy, alarm):
            assert "batch" in client.get(f"/api/runs/{waiting}").json()["waiting_for"]
        held = added(client, batch_id, {**GOOD, "hold": True})[0]["run_id"]
        client.post(f"/api/batches/{batch_id}/close")
        assert "once it is closed" in client.get(f"/api/runs/{tidy}").json()["waiting_for"]
    with in_process(tmp_path) as server, server.http() as client:
        assert "once it is closed" in client.get(f"/api/runs/{tidy}").json()["waiting_for"]
        client.post(f"/api/runs/{held}/release")
        assert [wait_ended(client, run)["status"] for run in (*after, tidy)] == ["completed"] * 3
        never = wait_ended(client, alarm)
        assert (never["status"], never["reason"]) == ("cancelled", "dependency_failed")


@pytest.mark.parametrize("is_closed_before", [True, False])
def test_what_comes_after_a_batch_that_failed(tmp_path: Path, is_closed_before: bool) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        batch_id = opened(client, runs=[BAD, GOOD])
        for run in client.get(f"/api/runs?batch_id={batch_id}").json()["runs"]:
            wait_ended(client, run["run_id"])
        if is_closed_before:
            client.post(f"/api/batches/{batch_id}/close")
        after = submit(client, **GOOD, after=[batch_id])["run_id"]
        alarm = submit(client, **GOOD, after_failed=[batch_id])["run_id"]
        client.post(f"/api/batches/{batch_id}/close")
        dropped = wait_ended(client, after)
        assert (dropped["status"], dropped["reason"]) == ("cancelled", "dependency_failed")
        assert f"not all runs of batch {batch_id}" in dropped["reason_detail"]
        assert wait_ended(client, alarm)["status"] == "completed"
        retried = client.post(f"/api/batches/{batch_id}/retry-failed").json()["runs"]
        assert wait_ended(client, retried[0]["run_id"])["status"] == "failed"


def test_a_whole_batch_is_waited_for_through_cancels_and_drops(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        batch = client.post("/api/batches", json={"runs": [{**GOOD, "hold": True}] * 2}).json()
        tidy = submit(client, **GOOD, after_any=[batch["batch_id"]])["run_id"]
        for run in batch["runs"]:
            assert client.get(f"/api/runs/{tidy}").json()["status"] == "queued"
            client.post(f"/api/runs/{run['run_id']}/cancel")
        assert wait_ended(client, tidy)["status"] == "completed"
        late = client.post("/api/batches", json={"runs": [{**GOOD, "hold": True, "queue_timeout": 1}]}).json()
        tidy = submit(client, **GOOD, after_any=[late["batch_id"]])["run_id"]
        assert wait_ended(client, tidy)["status"] == "completed"
        own = opened(client)
        answer = client.post(f"/api/batches/{own}/runs", json={"runs": [{**GOOD, "after": [own]}]})
        assert_problem(answer, 422, "the batch that it belongs to")


def test_a_python_batch_takes_runs_while_it_is_waited_for(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.session() as session, server.session() as other:
        batch = session.submit_batch({"runs": [], "open": True}, None)
        mirror = other.submit_batch({"runs": [], "open": True, "name": "x"}, None)
        ended: list[str] = []

        def wait() -> None:
            ended.extend(run.status for run in batch.as_completed(30))

        waiting = threading.Thread(target=wait)
        waiting.start()
        (first,) = batch.submit(Module("good", command=python("pass")))
        first.wait(30)
        (_, third) = batch.submit({"command": python("raise SystemExit(1)")}, {"command": python("pass")})
        with server.http() as client:
            (stranger,) = added(client, batch.batch_id, GOOD)
        third.wait(30)
        wait_until(lambda: len(ended) == 4, 30, "all four were told of")
        assert waiting.is_alive()
        with pytest.raises(InvalidRequestError):
            batch.submit({"command": []})
        batch.close()
        waiting.join(30)
        assert sorted(ended) == ["completed", "completed", "completed", "failed"]
        assert batch.runs[3].run_id == stranger["run_id"]
        assert not batch.is_open
        with pytest.raises(ConflictError):
            batch.submit(GOOD)
        with server.http() as client:
            client.post(f"/api/batches/{mirror.batch_id}/close")
        assert mirror.wait(30) is mirror, "closed by somebody else"


def test_an_open_batch_is_awaited_and_closed_by_its_block(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.session() as session:

        async def used() -> list[str]:
            with session.submit_batch({"runs": [body_of(GOOD)], "open": True}, None) as batch:
                waiting = asyncio.create_task(batch.async_results(return_exceptions=True))
                await asyncio.to_thread(batch.submit, GOOD, GOOD)
                assert not (await asyncio.wait([waiting], timeout=0.2))[0]
            return [result.status for result in await waiting]

        assert asyncio.run(used()) == ["completed"] * 3


def said(server: InProcess, *words: str, code: int = 0) -> list[str]:
    """Return the lines that a command line prints."""
    environ = {**os.environ, "RUNYARD_URL": server.url, "RUNYARD_TOKEN": server.token}
    command = [sys.executable, "-m", "runyard", *words]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    return (done.stdout + done.stderr).splitlines()


def test_the_command_line_opens_adds_closes_and_waits(tmp_path: Path) -> None:
    (tmp_path / "more.jsonl").write_text('{"command": ["true"]}\n{"command": ["false"]}\n')
    more = str(tmp_path / "more.jsonl")
    with in_process(tmp_path) as server:
        (batch_id,) = said(server, "batch", "--open", "--name", "photos")
        assert len(said(server, "batch", more, "--add", "@photos")) == 3
        assert "--open begins a batch" in said(server, "batch", more, "--open", "--add", "x", code=2)[0]
        late = said(server, "wait", "@photos", "--timeout", "1s", code=124)
        assert late == ["runyard: not all batches were closed within 1 s"]
        assert said(server, "close", "@photos") == [batch_id]
        assert said(server, "wait", "@photos", code=1)[-1] == "1 run completed, 1 did not"
        assert "is closed" in said(server, "batch", more, "--add", batch_id, code=1)[0]


def refused(client: httpx.Client, batch_id: str, words: str, **run: Any) -> None:
    before = run_count(client)
    response = client.post(f"/api/batches/{batch_id}/runs", json={"runs": [GOOD, {**GOOD, **run}]})
    problem = assert_problem(response, 422, words)
    assert [bad["index"] for bad in problem["errors"]] == [1]
    assert run_count(client) == before


@pytest.mark.parametrize("field", ["after", "after_any", "after_failed"])
def test_a_run_cannot_come_after_what_waits_for_its_batch(tmp_path: Path, field: str) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        first, second = opened(client), opened(client)
        refused(client, first, "the batch that it belongs to", **{field: [first]})
        # Given a run after the first batch, and one of the second batch after that
        report = submit(client, **GOOD, after_any=[first])["run_id"]
        last = added(client, second, {**GOOD, "after_any": [report]})[0]["run_id"]
        # Then nothing of the first may come after any of them, and be it by way of the second batch
        refused(client, first, f"{report} after {first}", **{field: [report]})
        refused(client, first, f"{last} after {report} after {first}", **{field: [last]})
        refused(client, first, f"{second} after {last} after {report} after {first}", **{field: [second]})
        # But the second may come after the first as often as it likes
        more = added(client, second, {**GOOD, "after_any": [first]}, {**GOOD, "after_any": [report, last]})
        added(client, first, GOOD)
        for batch_id in (first, second):
            client.post(f"/api/batches/{batch_id}/close")
        for run_id in (report, last, *(run["run_id"] for run in more)):
            assert wait_ended(client, run_id)["status"] == "completed"


def test_of_two_batches_that_wait_for_each_other_only_one_does_though_asked_at_once(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        for _ in range(5):
            first, second = opened(client), opened(client)
            codes: list[int] = []

            def add(batch_id: str, other: str, codes: list[int] = codes) -> None:
                body = {"runs": [{**GOOD, "after_any": [other]}]}
                with server.http() as mine:
                    codes.append(mine.post(f"/api/batches/{batch_id}/runs", json=body).status_code)

            both = [threading.Thread(target=add, args=way) for way in ((first, second), (second, first))]
            for each in both:
                each.start()
            for each in both:
                each.join()
            assert sorted(codes) == [202, 422]


def test_what_is_added_is_an_object_and_its_refusal_says_so(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        batch = client.post("/api/batches", json={"runs": [], "open": True}).json()["batch_id"]
        run = {"command": ["true"], "num_cpus": 0.1, "memory": "64MiB"}
        answer = client.post(f"/api/batches/{batch}/runs", json=[run])
        assert_problem(answer, 422, "must be an object with fields")
        assert client.post(f"/api/batches/{batch}/runs", json={"runs": [run]}).status_code == 202
