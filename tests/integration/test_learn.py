"""`memory = "learn"`: the default at first, then what past runs of the module needed, and the run says which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.in_process import InProcess, in_process
from tests.rest import assert_problem, submit, wait_ended
from tests.support import python, wait_until

MIB, GIB = 2**20, 2**30
#: Holds that many MiB for long enough to be measured.
HOLDS = "import sys, time; held = bytearray(int(sys.argv[1]) << 20); time.sleep(0.3)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    modules: dict[str, Any] = {
        name: {"command": python(HOLDS), "memory": "learn", "num_cpus": 0.5} for name in ("held", "grown")
    }
    modules["grown"]["retry_on_out_of_memory"] = 2
    with in_process(tmp_path_factory.mktemp("server"), modules=modules) as found:
        yield found


@pytest.fixture
def http(server: InProcess) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client


def teach(http: httpx.Client, module: str) -> list[dict[str, Any]]:
    runs = [submit(http, module=module, args=["300"]) for _ in range(5)]
    assert {run["memory"] for run in runs} == {runs[0]["memory"]}
    return [wait_ended(http, run["run_id"]) for run in runs]


def test_the_sixth_run_asks_for_what_five_needed(http: httpx.Client) -> None:
    taught = teach(http, "held")
    assert taught[0]["memory"] == submit(http, command=python("pass"))["memory"]  # The default.
    assert taught[0]["request_note"] == "memory by default: no peak is known, and 5 are needed to learn from"
    learned = wait_ended(http, submit(http, module="held", args=["300"])["run_id"])
    assert learned["status"] == "completed"
    most = max(run["peak_memory"] for run in taught)
    assert 300 * MIB < most < learned["memory"] <= (most + 256 * MIB) * 1.07
    assert learned["request_note"].startswith("memory ")
    assert "learned: 95th percentile of 5 peaks is 30" in learned["request_note"]
    again = http.post(f"/api/runs/{learned['run_id']}/restart").json()
    assert (again["memory"], again["request_note"]) == (learned["memory"], learned["request_note"])
    other = http.post(f"/api/runs/{learned['run_id']}/restart", json={"memory": "1GiB"}).json()
    assert (other["memory"], other["request_note"]) == (GIB, None)
    anew = http.post(f"/api/runs/{taught[0]['run_id']}/restart", json={"memory": "learn"}).json()
    assert anew["memory"] < taught[0]["memory"]
    batch = http.post(
        "/api/batches", json={"runs": [{"module": "held"}, {"module": "held", "memory": "2GiB"}]}
    )
    first, second = (http.get(f"/api/runs/{run['run_id']}").json() for run in batch.json()["runs"])
    assert "learned" in first["request_note"]
    assert (second["memory"], second["request_note"]) == (2 * GIB, None)


def test_a_learned_run_that_needs_more_gets_it_when_asked(http: httpx.Client) -> None:
    teach(http, "grown")
    run = wait_ended(http, submit(http, module="grown", args=["900"])["run_id"])
    assert (run["status"], run["attempt"], run["memory_retries"]) == ("completed", 2, 1)
    assert run["memory"] > 900 * MIB


def test_a_module_and_a_batch_are_given_advice(http: httpx.Client) -> None:
    definition = {"command": python(HOLDS), "memory": "8GiB", "num_cpus": 0.5}
    assert http.put("/api/modules/wide", json=definition).json()["advice"] == []
    body = {"runs": [{"module": "wide", "args": ["30"]} for _ in range(5)]}
    batch = http.post("/api/batches", json=body).json()
    for run in batch["runs"]:
        wait_ended(http, run["run_id"])
    path = f"/api/batches/{batch['batch_id']}/advice"
    found = wait_until(
        lambda: http.get(path).json()["advice"], 15, "the advice is no older than a few seconds"
    )
    (advice,) = found
    assert (advice["module_id"], advice["kind"]) == ("wide", "less_memory")
    assert advice["sentence"].startswith("asks 8 GiB, peaked at ")
    assert advice["sentence"].endswith(" would let eight more run")
    (of_module,) = http.get("/api/modules/wide").json()["advice"]
    assert {"module_id": "wide", **of_module} == advice
    (listed,) = [m for m in http.get("/api/modules").json()["modules"] if m["module_id"] == "wide"]
    assert listed["advice"] == [of_module]
    changed = http.put("/api/modules/wide", json={**definition, **of_module["suggested"]})
    assert changed.json()["advice"] == []
    assert_problem(http.get("/api/batches/nothing/advice"), 404)


def test_learn_is_taken_where_a_size_is_and_nothing_like_it(http: httpx.Client) -> None:
    put = http.put("/api/modules/m", json={"command": ["true"], "memory": "learn", "gpu_memory": "learn"})
    assert (put.json()["memory"], put.json()["gpu_memory"]) == ("learn", "learn")
    assert_problem(http.post("/api/runs", json={"command": ["true"], "memory": "lern"}), 422, "memory")
    assert_problem(
        http.post("/api/runs", json={"command": ["true"], "gpu_memory": "auto"}), 422, "gpu_memory"
    )
