"""F10, F49: the machine restarted, or runyard was replaced by a newer one, while runs were going."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from runyard_actors.run_folder import RunFolder
from runyard_cluster import process
from runyard_cluster.data_dir import DataDir
from tests.faults.oracle import Ground, judge
from tests.in_process import in_process
from tests.rest import submit, wait_ended
from tests.support import wait_until

HERE = Path(__file__).parent
FIRST_STORE = HERE.parent / "unit" / "store" / "databases" / "version-1.db"
#: Active in that store; its folder was written by the supervisor of that version.
OLD_RUN = "01M8GSXCSDEYA30TVM99VB62AB"
#: About to start in that store, when its machine went down.
OLD_START = "01M8GSXCSDEYA4A3711WQPWHGK"


def small(ground: Ground, then: str = "sys.exit(0)", *, waits: bool = False, **more: Any) -> dict[str, Any]:
    return {"command": ground.command(then, waits=waits), "num_cpus": 0.1, "memory": "32MiB", **more}


def restart_machine(data_dir: DataDir, run_ids: list[str]) -> None:
    """Do what a restart does: no process is left, and what was started was started in another boot."""
    for run_id in run_ids:
        folder = RunFolder.of(data_dir.runs, run_id, 1)
        started = folder.started() or {}
        process.stop_process(started["shim_pid"], started["shim_start"], kill=True)
        wait_until(lambda folder=folder: not folder.is_alive(), 20, "the supervisor is gone")
    with closing(sqlite3.connect(data_dir.database)) as store, store:
        store.execute("UPDATE attempts SET boot_id = 'the boot before'")


def attempts_of(http: httpx.Client, run_id: str) -> list[dict[str, Any]]:
    answer = http.get(f"/api/runs/{run_id}/attempts").json()
    return list(answer["attempts"] if isinstance(answer, dict) else answer)


def status(http: httpx.Client, run_id: str) -> str:
    return str(http.get(f"/api/runs/{run_id}").json()["status"])


def test_after_a_restart_of_the_machine_runs_are_lost_in_words_and_queued_ones_start_once(
    tmp_path: Path,
) -> None:
    ground = Ground(tmp_path)
    with in_process(tmp_path, max_concurrent_runs=2) as server, server.http() as http:
        lost = submit(http, **small(ground, waits=True))["run_id"]
        again = submit(http, **small(ground, waits=True, max_retries=1))["run_id"]
        wait_until(lambda: {status(http, lost), status(http, again)} == {"running"}, 30, "both run")
        queued = submit(http, **small(ground))["run_id"]
        server.leave_runs()
        data = server.data_dir
    restart_machine(data, [lost, again])
    ground.gate.touch()
    with in_process(tmp_path, max_concurrent_runs=2) as server, server.http() as http:
        ended = wait_ended(http, lost)
        assert (ended["status"], ended["reason"]) == ("failed", "node_lost")
        assert "the machine restarted" in ended["reason_detail"]
        assert wait_ended(http, queued)["status"] == "completed"
        retried = wait_ended(http, again)
        assert (retried["status"], retried["attempt"]) == ("completed", 2)
        verdict = judge(ground, data.database, data.runs, [lost, again, queued], slots=2)
        assert verdict.is_good, verdict
        assert ground.noted() == {(lost, 1): 1, (again, 1): 1, (again, 2): 1, (queued, 1): 1}


def test_the_data_folder_of_the_first_version_goes_on_with_what_its_runs_left(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.create()
    shutil.copyfile(FIRST_STORE, data.database)
    shutil.copytree(HERE / "version-1" / "runs", data.runs, dirs_exist_ok=True)
    data.paused_file.touch()
    with in_process(tmp_path, retention="0") as server, server.http() as http:
        # The run that was going has ended meanwhile, under its supervisor of that version: its end is taken over
        # and, as it has a retry left, queued again
        wait_until(lambda: status(http, OLD_RUN) == "queued", 20, "its end is known")
        (attempt,) = attempts_of(http, OLD_RUN)
        assert (attempt["exit_code"], attempt["reason"]) == (7, "exit_code")
        assert http.get(f"/api/runs/{OLD_RUN}/log?attempt=1").text == "trained by an earlier version\n"
        # The one that was about to start in an earlier boot never did
        wait_until(lambda: attempts_of(http, OLD_START)[0]["reason"] == "node_lost", 20, "that is known")
        # What waited still waits, and the store as it was is kept
        assert http.get("/api/runs", params={"status": "queued"}).json()["total"] >= 4
        assert [copy.name.startswith("runyard") for copy in data.backups.iterdir()] == [True]
