"""F33: the wall clock is set back or far ahead. Timeouts keep their length and runs their order."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from pathlib import Path

import pytest

from tests.faults.mortal_server import MortalServer
from tests.faults.oracle import Ground
from tests.faults.test_storage import caller
from tests.rest import submit, wait_ended
from tests.support import python, wait_until


def clock_library() -> Path:
    """Return the library that shows processes another time; skip without it."""
    spec = importlib.util.find_spec("libfaketime")
    if not sys.platform.startswith("linux") or spec is None or spec.origin is None:
        pytest.skip("needs libfaketime")
    return Path(spec.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"


@pytest.mark.parametrize("jump", ["-3600", "+259200"])
def test_a_clock_that_jumps_changes_no_timeout_and_no_order(
    jump: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    for name, value in {
        "LD_PRELOAD": str(clock_library()), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    server = MortalServer(tmp_path, max_concurrent_runs=2)
    for name in ("LD_PRELOAD", "FAKETIME_TIMESTAMP_FILE"):
        monkeypatch.delenv(name)
    try:
        with caller(server) as http:
            # Given a run with a timeout, and one without, that go on while the clock jumps
            limited = submit(http, command=python("import time; time.sleep(300)"), timeout=6, num_cpus=0.1)[
                "run_id"
            ]
            ground = Ground(tmp_path)
            open_end = submit(http, command=ground.command(waits=True), timeout="1h", num_cpus=0.1)["run_id"]
            ids = [limited, open_end]
            wait_until(lambda: http.get("/api/runs?status=running").json()["total"] == 2, 30, "both run")
            began = time.monotonic()
            clock.write_text(jump)
            ids += [submit(http, command=ground.command(), num_cpus=0.1)["run_id"] for _ in range(3)]
            # Then the timeout comes when it was to come, and the other goes on
            ended = wait_ended(http, limited)
            assert (ended["reason"], ended["status"]) == ("timeout", "failed")
            assert 2 < time.monotonic() - began < 25
            assert http.get(f"/api/runs/{open_end}").json()["status"] == "running"
            ground.gate.touch()
            assert {wait_ended(http, run_id)["status"] for run_id in ids[1:]} == {"completed"}
            # And what came last is listed first
            listed = [run["run_id"] for run in http.get("/api/runs").json()["runs"]]
            assert listed == ids[::-1]
            assert os.path.exists(ground.starts)
    finally:
        server.leave()
