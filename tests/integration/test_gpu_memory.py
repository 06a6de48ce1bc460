"""GPU memory is shared out by what runs declare, watched, and held against the one run that takes more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fake_gpus import GIB, MODULE_FOLDER, FakeGpus, fake_gpus, holder, node
from tests.in_process import in_process
from tests.integration.conftest import TestSession, embedded
from tests.rest import submit, wait_ended
from tests.support import wait_until


def run_of(http: httpx.Client, run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"/api/runs/{run_id}").json()
    return found


def usage_of(http: httpx.Client, run_id: str) -> dict[str, Any]:
    return next((u for u in http.get("/api/usage").json()["runs"] if u["run_id"] == run_id), {})


def test_four_runs_of_a_quarter_hold_a_fifth_waits_and_only_the_one_that_takes_more_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a whole server, Ray included, that finds one RTX 5090 of 32 GiB through NVML
    monkeypatch.setenv("PYTHONPATH", f"{MODULE_FOLDER}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    with (
        fake_gpus(tmp_path / "gpus", [32]) as gpus,
        embedded('cpu_busy_percent = 0\ngrace = "2s"\n') as session,
    ):
        # When five runs ask for 8 GiB of it each
        runs = [session.submit(holder(gpu_memory="8GiB"), None) for _ in range(5)]
        four, fifth = runs[:4], runs[4]
        for run in four:
            wait_until(lambda run=run: run.refresh().status == "running", 60, "four run")
        # Then the fifth waits, and says for what
        words = fifth.refresh().waiting_for
        assert words is not None
        assert words.startswith("8 GiB gpu_memory: most free on one GPU is 0 B (")
        # And the limit of each is held, which a server knows once it has looked at the GPUs for the first time
        for run in four:
            wait_until(lambda run=run: run.refresh().enforcement["gpu_memory"] == "poll", 30, "it is held")
        # When one passes its limit
        for run in four:
            gpus.hold(run.run_id, 7.0, percent=20)
        wait_until(
            lambda: all(_held(session, run.run_id) == 7 * GIB for run in four), 30, "what they hold is seen"
        )
        gpus.hold(four[1].run_id, 8.6)
        ended = four[1].wait(30)
        # Then it is stopped, for that reason and in words, and the others go on
        assert (ended.status, ended.reason) == ("failed", "gpu_memory_limit")
        assert ended.reason_detail == "used 8.6 GiB of GPU memory, limit 8 GiB; stopped"
        assert ended.peak_gpu_memory == int(8.6 * GIB)
        neighbours = [four[0], four[2], four[3]]
        assert {run.refresh().status for run in neighbours} == {"running"}
        # And the fifth has its place
        wait_until(lambda: fifth.refresh().status == "running", 30, "the fifth runs")
        for run in (*neighbours, fifth):
            gpus.hold(run.run_id, 1.0)
            gpus.let_go(run.run_id)
        assert {run.wait(30).status for run in (*neighbours, fifth)} == {"completed"}


def _held(session: TestSession, run_id: str) -> int | None:
    found = [u for u in session.client.usage()["runs"] if u["run_id"] == run_id]
    return found[0]["gpu_memory"] if found else None


@pytest.fixture
def gpus(tmp_path: Path) -> Any:
    with fake_gpus(tmp_path / "gpus", [32, 32]) as found:
        yield found


def test_what_a_run_uses_of_its_gpu_is_shown_and_its_peak_stays(tmp_path: Path, gpus: FakeGpus) -> None:
    with in_process(tmp_path, capacity=node(gpus), meter=gpus.meter()) as server, server.http() as http:
        run_id = submit(http, **holder(gpu_memory="8GiB"))["run_id"]
        gpus.hold(run_id, 5.0, percent=61)
        wait_until(lambda: usage_of(http, run_id).get("gpu_memory") == 5 * GIB, 15, "it is measured")
        wait_until(lambda: usage_of(http, run_id)["gpu_percent"] == 61.0, 15, "its share of the time")
        gpus.hold(run_id, 2.0)
        wait_until(lambda: usage_of(http, run_id)["gpu_memory"] == 2 * GIB, 15, "it is measured again")
        (gpu, other) = http.get("/api/resources").json()["nodes"][0]["gpus"]
        assert (gpu["free_bytes"], other["free_bytes"]) == (30 * GIB, 32 * GIB)
        columns = http.get(f"/api/runs/{run_id}/usage").json()
        assert 5 * GIB in columns["gpu_memory"]
        assert 61.0 in columns["gpu_percent"]
        assert columns["limits"]["gpu_memory"] == 8 * GIB
        gpus.let_go(run_id)
        assert wait_ended(http, run_id)["peak_gpu_memory"] == 5 * GIB
        assert http.get(f"/api/runs/{run_id}/attempts").json()[0]["peak_gpu_memory"] == 5 * GIB


def test_a_run_near_its_limit_is_warned_once_and_goes_on(tmp_path: Path, gpus: FakeGpus) -> None:
    with in_process(tmp_path, capacity=node(gpus), meter=gpus.meter()) as server, server.http() as http:
        run_id = submit(http, **holder(gpu_memory="8GiB"))["run_id"]
        gpus.hold(run_id, 7.5)
        wait_until(lambda: run_of(http, run_id)["warning"], 15, "the warning")
        assert run_of(http, run_id)["warning"] == "uses 7.5 GiB of GPU memory, limit 8 GiB"
        gpus.hold(run_id, 7.6)
        wait_until(lambda: usage_of(http, run_id)["gpu_memory"] == int(7.6 * GIB), 15, "it is measured again")
        gpus.let_go(run_id)
        ended = wait_ended(http, run_id)
        assert ended["status"] == "completed"
        events = [e for e in server.context.reader.events(0, 1000) if e["kind"] == "run_warned"]
        assert [e["data"]["warning"] for e in events] == ["uses 7.5 GiB of GPU memory, limit 8 GiB"]


def test_a_run_that_passed_its_limit_is_queued_again_with_more_where_it_said_so(
    tmp_path: Path, gpus: FakeGpus
) -> None:
    with in_process(tmp_path, capacity=node(gpus), meter=gpus.meter()) as server, server.http() as http:
        run_id = submit(http, **holder(gpu_memory="8GiB", retry_on_out_of_memory=1.5))["run_id"]
        gpus.hold(run_id, 10.0)
        wait_until(lambda: run_of(http, run_id)["attempt"] == 2, 20, "the second attempt")
        wait_until(lambda: run_of(http, run_id)["status"] == "running", 20, "it runs")
        assert run_of(http, run_id)["gpu_memory"] == 12 * GIB
        assert run_of(http, run_id)["warning"] is None
        gpus.let_go(run_id)
        assert wait_ended(http, run_id)["status"] == "completed"
        first = http.get(f"/api/runs/{run_id}/attempts").json()[0]
        assert first["reason_detail"].startswith(
            "used 10 GiB of GPU memory, limit 8 GiB; stopped; retrying with"
        )


def test_a_new_server_goes_on_with_the_usage_of_a_run_it_takes_over(tmp_path: Path, gpus: FakeGpus) -> None:
    # Given a run that a server watched, and left to itself
    with in_process(tmp_path, capacity=node(gpus), meter=gpus.meter()) as server, server.http() as http:
        run_id = submit(http, **holder(gpu_memory="8GiB"))["run_id"]
        gpus.hold(run_id, 6.0)
        wait_until(
            lambda: 6 * GIB in http.get(f"/api/runs/{run_id}/usage").json()["gpu_memory"],
            15,
            "it is recorded",
        )
        gpus.hold(run_id, 1.0)
        wait_until(lambda: usage_of(http, run_id)["gpu_memory"] == GIB, 15, "it is measured again")
        before = http.get(f"/api/runs/{run_id}/usage").json()
        server.leave_runs()
    # When the next one takes it over
    with in_process(tmp_path, capacity=node(gpus), meter=gpus.meter()) as server, server.http() as http:
        wait_until(
            lambda: len(http.get(f"/api/runs/{run_id}/usage").json()["at"]) > len(before["at"]),
            20,
            "it goes on",
        )
        after = http.get(f"/api/runs/{run_id}/usage").json()
        assert after["at"][: len(before["at"])] == before["at"]
        gpus.let_go(run_id)
        # Then nothing of what was before is lost, the peak included
        assert wait_ended(http, run_id)["peak_gpu_memory"] == 6 * GIB
