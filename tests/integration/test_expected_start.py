"""Queued runs tell when they may start, by what runs of their module took; a batch tells its end before any ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.in_process import InProcess, in_process
from tests.rest import submit, wait_ended
from tests.support import python, wait_until

SLEEPS = "import sys, time; time.sleep(float(sys.argv[1]))"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    modules = {"nap": {"command": python(SLEEPS), "num_cpus": 1, "memory": "64MiB"}}
    with in_process(tmp_path_factory.mktemp("server"), modules=modules, max_concurrent_runs=1) as found:
        yield found


@pytest.fixture
def http(server: InProcess) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client


def seconds_until(moment: str) -> float:
    return (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()


def test_a_queued_run_tells_when_it_may_start(http: httpx.Client) -> None:
    def shown(run: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = http.get(f"/api/runs/{run['run_id']}").json()
        return found

    unknown = [submit(http, module="nap", args=["1"]) for _ in range(2)]
    assert shown(unknown[1])["expected_start"] is None  # Nothing is known of the module yet.
    for run in unknown:
        wait_ended(http, run["run_id"])
    rows = [{"module": "nap", "args": ["60"]} for _ in range(4)]
    batch = http.post("/api/batches", json={"runs": rows}).json()
    first, second, *_, last = batch["runs"]
    wait_until(lambda: shown(first)["status"] == "running", 20)
    expected = wait_until(
        lambda: (run := shown(second))["expected_start"] and run,
        20,
        "the expectation is a few seconds old at most",
    )
    assert -1 < seconds_until(expected["expected_start"]) < 3
    assert expected["expected_seconds"] >= 1, "as long as those that completed, not as it will"
    listed = http.get("/api/runs", params={"status": "queued", "batch_id": batch["batch_id"]}).json()["runs"]
    moments = [run["expected_start"] for run in reversed(listed)]
    assert moments == sorted(moments) and len(set(moments)) == 3
    assert 1 < (datetime.fromisoformat(moments[2]) - datetime.fromisoformat(moments[0])).total_seconds() < 10
    found = http.get(f"/api/batches/{batch['batch_id']}").json()
    assert found["counts"]["completed"] == 0 and 0 < found["eta_seconds"] < 20
    assert shown(first)["expected_start"] is None  # It runs.
    http.post("/api/pause")
    gone = wait_until(
        lambda: shown(last)["expected_start"] is None, 20, "nobody knows for how long it is paused"
    )
    assert gone
    http.post("/api/resume")
    http.post(f"/api/batches/{batch['batch_id']}/cancel")
