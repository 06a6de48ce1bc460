"""A run without a sign of life is told as stalled, or stopped where it said so, through every door."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.in_process import in_process
from tests.rest import assert_problem, submit, wait_ended
from tests.support import python, wait_until

#: Prints once, then again when the file that it is told of is there.
WAITER = """
import os, sys, time
print("begun", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.5)
print("on", flush=True)
end = time.monotonic() + 60
while time.monotonic() < end and not os.path.exists(sys.argv[1] + ".end"):
    pass
"""


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("server")
    with (
        in_process(
            folder, modules={"m": {"command": ["sleep", "300"], "stall_after": 2, "on_stall": "stop"}}
        ) as server,
        server.http() as found,
    ):
        yield found


def test_a_run_is_told_as_stalled_and_told_again_when_it_goes_on(http: httpx.Client, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    run_id = submit(http, command=[*python(WAITER), str(sign)], num_cpus=0.1, stall_after="2s")["run_id"]

    def run() -> dict[str, Any]:
        found: dict[str, Any] = http.get(f"/api/runs/{run_id}").json()
        return found

    wait_until(lambda: run()["stalled_since"], 30, "it is told as stalled")
    assert (run()["status"], run()["stall_after_seconds"], run()["on_stall"]) == ("running", 2.0, "tell")
    assert run()["started_at"] <= run()["stalled_since"]
    sign.touch()
    wait_until(lambda: run()["stalled_since"] is None, 30, "it is told as going on")
    Path(f"{sign}.end").touch()
    assert wait_ended(http, run_id)["status"] == "completed"


def test_a_module_s_runs_are_stopped_where_it_says_so(http: httpx.Client) -> None:
    ended = wait_ended(http, submit(http, module="m", num_cpus=0.1)["run_id"])
    assert (ended["status"], ended["reason"], ended["ended_by"]) == ("failed", "stalled", "stalled")
    assert ended["reason_detail"].startswith("no output, no CPU and no GPU use for ")
    again = http.post(
        f"/api/runs/{ended['run_id']}/restart", json={"stall_after": 0, "on_stall": "tell"}
    ).json()
    assert (again["stall_after_seconds"], again["on_stall"]) == (0, "tell")
    assert http.post(f"/api/runs/{again['run_id']}/cancel").status_code == 200


@pytest.mark.parametrize(
    "wrong", [{"stall_after": -1}, {"stall_after": "soon"}, {"on_stall": "kill"}, {"stall_after": True}]
)
def test_what_makes_no_sense_is_refused(http: httpx.Client, wrong: dict[str, Any]) -> None:
    assert_problem(http.post("/api/runs", json={"command": ["true"], **wrong}), 422, next(iter(wrong)))
