"""Somebody removes or replaces what belongs to a run that goes on: it can be cancelled, and read, all the same."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.oracle import Ground
from tests.in_process import InProcess, in_process
from tests.rest import submit, wait_ended
from tests.support import processes_with, wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="open files stay")

_WAITS = """
print("ready", flush=True)
while not os.path.exists(sys.argv[2]): time.sleep(0.02)
"""


def going(server: InProcess, http: Any, ground: Ground) -> tuple[str, Path]:
    run_id = submit(http, command=ground.command(_WAITS), num_cpus=0.1)["run_id"]
    folder = server.data_dir.runs / run_id[:6] / run_id / "1"
    wait_until(lambda: http.get(f"/api/runs/{run_id}/log").content == b"ready\n", 60, "it goes on")
    wait_until(lambda: http.get(f"/api/runs/{run_id}").json()["status"] == "running", 60, "that is known")
    return run_id, folder


def test_a_run_whose_folder_is_gone_can_be_cancelled(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    with in_process(tmp_path) as server, server.http() as http:
        run_id, folder = going(server, http, ground)
        shutil.rmtree(folder.parent)
        assert http.post(f"/api/runs/{run_id}/suspend", json={}).status_code == 409
        assert http.post(f"/api/runs/{run_id}/cancel", json={}).is_success
        assert wait_ended(http, run_id)["status"] == "cancelled"
        assert not processes_with({"RUNYARD_RUN_ID": run_id})
        assert http.get("/api/resources").json()["semaphore"]["active"] == 0


def test_a_run_whose_folder_is_gone_ends_with_a_reason(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    with in_process(tmp_path) as server, server.http() as http:
        run_id, folder = going(server, http, ground)
        shutil.rmtree(folder.parent)
        ground.gate.touch()
        assert wait_ended(http, run_id)["status"] in ("completed", "failed")
        assert http.get(f"/api/runs/{run_id}/log").content == b""


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "nothing"])
def test_a_log_that_is_no_file_any_more_is_empty(kind: str, tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    with in_process(tmp_path) as server, server.http() as http:
        run_id, folder = going(server, http, ground)
        log = folder / "output.log"
        log.unlink()
        if kind == "a folder":
            log.mkdir()
        elif kind == "a pipe":
            os.mkfifo(log)
        for has_ended in (False, True):
            if has_ended:
                ground.gate.touch()
                assert wait_ended(http, run_id)["status"] == "completed"
            for query in ("", "?tail=5", "?offset=3"):
                answer = http.get(f"/api/runs/{run_id}/log{query}")
                assert (answer.status_code, answer.content) == (200, b""), query
