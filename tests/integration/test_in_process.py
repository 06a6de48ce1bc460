"""The server of tests is a whole one: what it does, the product does, too."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runyard.client import Client
from runyard.session import Session
from runyard_cluster.errors import AuthenticationError, InvalidRequestError
from runyard_cluster.server_record import Endpoint
from tests.conftest import MARK
from tests.in_process import InProcess, in_process
from tests.support import name_of, processes_marked, python, wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("server")) as found:
        yield found


def test_a_run_goes_from_submit_to_its_end_with_its_log(server: InProcess) -> None:
    with server.session() as session:
        result = session.submit({"command": python("print('hello')")}, None).result(30)
        assert (result.status, result.exit_code, result.log()) == ("completed", 0, "hello\n")


def test_a_batch_ends_with_what_each_run_did(server: InProcess) -> None:
    with server.session() as session:
        runs = [{"command": python(f"raise SystemExit({code})")} for code in (0, 3, 0)]
        batch = session.submit_batch({"runs": runs}, None)
        results = batch.results(return_exceptions=True)
    assert [getattr(r, "exit_code", None) for r in results] == [0, 3, 0]


def test_a_batch_submitted_again_by_its_key_is_heard_of_by_both_who_wait(server: InProcess) -> None:
    body = {"runs": [{"command": python("import time; time.sleep(0.3)")}, {"command": python("exit(3)")}]}
    with server.session() as session:
        first, second = (session.submit_batch(body, "same") for _ in range(2))
        ended = [[(run.run_id, run.status) for run in batch.wait(30).runs] for batch in (first, second)]
    assert ended[0] == ended[1]
    assert [status for _, status in ended[0]] == ["completed", "failed"]


def test_a_batch_submitted_again_after_its_end_has_its_results(server: InProcess) -> None:
    body = {"runs": [{"command": python(f"raise SystemExit({code})")} for code in (0, 3)]}
    with server.session() as session:
        session.submit_batch(body, "ended").wait(30)
    with server.session() as another:
        results = another.submit_batch(body, "ended").results(return_exceptions=True, timeout=30)
        assert [result.exit_code for result in results] == [0, 3]


@pytest.mark.parametrize("bad", [float("nan"), {"a", "b"}, "\ud800"])
def test_what_json_cannot_say_is_a_bad_request(server: InProcess, bad: object) -> None:
    with server.client() as client, pytest.raises(InvalidRequestError, match="JSON"):
        client.submit({"command": ["true"], "num_cpus": bad})


def test_who_waits_learns_that_the_server_refuses_to_tell(server: InProcess) -> None:
    stranger = Client(locate=lambda: Endpoint(server.url, "wrong"))
    with pytest.raises(AuthenticationError):
        Session(stranger)
    stranger.close()


def test_it_is_up_and_gone_again_within_a_second(tmp_path: Path) -> None:
    began = time.monotonic()
    with in_process(tmp_path) as found, found.http() as http:
        assert http.get("/readyz").status_code == 200
    assert time.monotonic() - began < 5, "one second on an idle machine"


def test_what_still_runs_is_ended_with_the_server(tmp_path: Path) -> None:
    with in_process(tmp_path) as found, found.client() as client:
        run = client.submit({"command": ["sleep", "1000"]})
        while client.run(run["run_id"])["status"] != "running":
            time.sleep(0.01)
    assert not found.manager._yard.active


def test_an_answer_on_an_open_connection_waits_for_no_acknowledgement(server: InProcess) -> None:
    with server.http() as http:
        waits = []
        for _ in range(20):
            began = time.perf_counter()
            http.get("/healthz")
            waits.append(time.perf_counter() - began)
    assert sorted(waits)[10] < 0.03, (
        "40 ms is what Nagle's algorithm and delayed acknowledgements cost together"
    )


def test_two_submits_at_once_never_both_get_the_last_slot(server: InProcess) -> None:
    # Given ten slots, when thirty runs come at once from as many callers that would rather be refused than wait
    body = {"command": python("import time; time.sleep(2)"), "when_full": "reject"}
    with server.http() as http, ThreadPoolExecutor(30) as callers:
        answers = list(callers.map(lambda _: http.post("/api/runs", json=body), range(30)))
    # Then ten are in, and the others are told
    codes = Counter(answer.status_code for answer in answers)
    assert codes == {202: 10, 429: 20}
    refused = next(a for a in answers if a.status_code == 429)
    assert refused.json()["detail"] == "Max concurrent runs (10) reached"
    assert refused.headers["Retry-After"]


def test_a_pause_outlives_the_manager(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as http:
        assert http.post("/api/pause", json={}).status_code == 200
        run_id = http.post("/api/runs", json={"command": ["true"]}).json()["run_id"]
    with in_process(tmp_path) as server, server.http() as http:
        assert http.get("/api/resources").json()["semaphore"]["is_paused"]
        assert http.get(f"/api/runs/{run_id}").json()["waiting_for"] == "starts are paused"
        http.post("/api/resume", json={})
        wait_until(lambda: http.get(f"/api/runs/{run_id}").json()["status"] == "completed", 30, "it ran")


def test_a_run_that_prints_without_end_keeps_nobody_waiting(tmp_path: Path) -> None:
    with in_process(tmp_path, max_log_size="4MiB") as server, server.http() as http:
        flood = {"command": python("import os\nwhile True: os.write(1, b'y' * 65536)"), "num_cpus": 0.1}
        run_id = http.post("/api/runs", json=flood).json()["run_id"]
        log = f"/api/runs/{run_id}/log"
        wait_until(lambda: int(http.get(f"{log}?limit=1").headers["X-Log-Size"]) > 64 << 20, 30, "its output")
        waits = []
        for _ in range(20):
            began = time.perf_counter()
            assert http.get("/api/runs").status_code == 200
            assert http.get(f"{log}?tail=1").status_code == 200
            waits.append(time.perf_counter() - began)
        http.post(f"/api/runs/{run_id}/cancel")
        wait_until(lambda: http.get(f"/api/runs/{run_id}").json()["status"] == "cancelled", 30, "its end")
    assert sorted(waits)[10] < 2, "some tens of milliseconds on an idle machine"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="shims have names of their own on Linux")
def test_what_a_test_leaves_behind_is_seen_be_it_a_shim_or_who_becomes_one(server: InProcess) -> None:
    with server.session() as session:
        run = session.submit({"command": ["sleep", "1000"]}, None)
        wait_until(lambda: run.status == "running", 20, "the run goes on")
        expected = {"runyard-spawner", "runyard-shim", "sleep"}
        # Who is just becoming another program shows no environment.
        wait_until(
            lambda: expected <= set(map(name_of, processes_marked(os.environ[MARK]))), 10, "all are seen"
        )
        run.cancel()


def test_news_gather_while_anything_is_active_and_the_last_end_is_told_at_once(tmp_path: Path) -> None:
    with in_process(tmp_path, grace="1s") as server, server.session() as session:
        manager = server.manager
        run = session.submit({"command": ["sleep", "300"]}, None)
        wait_until(lambda: run.refresh().status == "running", 20, "it runs")

        async def told() -> bool:
            gathering = asyncio.create_task(manager.wait_changes(0, 0, 300))
            _, waits = await asyncio.wait([gathering], timeout=0.1)
            await manager.cancel([run.run_id], "no more")
            await gathering
            return bool(waits)

        assert server.call(told())
        assert run.wait(20).status == "cancelled"
