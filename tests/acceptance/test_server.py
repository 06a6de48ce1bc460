"""`runyard up` and `runyard down`: one server on a data folder, runs that outlive it, take-over."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.acceptance.conftest import Installed, Shell
from tests.support import processes_with, python, wait_until


def up(shell: Shell, *args: str) -> str:
    """Start the server in the background; return what it says."""
    done = shell.run("up", "--detach", "--port", "0", *args)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def status_of(shell: Shell, run_id: str) -> str:
    return str(json.loads(shell.run("show", run_id, "--json").stdout)["status"])


def test_a_server_says_where_it_is_and_a_second_one_is_refused(shell: Shell) -> None:
    shell.run("down")
    said = up(shell)
    record = json.loads((shell.folder / "data" / "server.json").read_bytes())
    assert record["url"] in said
    assert str(shell.folder / "data") in said
    for how in ([], ["--detach"]):
        again = shell.run("up", "--port", "0", *how)
        assert again.returncode == 1
        assert str(record["pid"]) in again.stderr
    if os.name == "posix":
        assert (shell.folder / "data" / "token").stat().st_mode & 0o777 == 0o600


def test_runs_outlive_down_and_the_next_server_takes_them_over(shell: Shell, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    code = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\nraise SystemExit(5)"
    run_id = json.loads(shell.run("run", "--detach", "--json", "--", *python(code)).stdout)["run_id"]
    wait_until(lambda: status_of(shell, run_id) == "running", 60, "the run is up")
    # When the server goes, the run goes on
    assert shell.run("down").returncode == 0
    assert not (shell.folder / "data" / "server.json").exists()
    assert processes_with({"RUNYARD_RUN_ID": run_id})
    assert status_of(shell, run_id) == "running"
    # Then the next server knows its true end
    up(shell)
    gate.touch()
    assert shell.run("wait", run_id).returncode == 1
    shown = json.loads(shell.run("show", run_id, "--json").stdout)
    assert (shown["status"], shown["exit_code"], shown["attempt"]) == ("failed", 5, 1)


def test_a_run_that_ends_while_no_server_is_up_is_known_afterwards(shell: Shell, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    code = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\nprint('alone')"
    run_id = json.loads(shell.run("run", "--detach", "--json", "--", *python(code)).stdout)["run_id"]
    wait_until(lambda: status_of(shell, run_id) == "running", 60, "the run is up")
    assert shell.run("down").returncode == 0
    gate.touch()
    wait_until(lambda: not processes_with({"RUNYARD_RUN_ID": run_id}), 30, "the run has ended")
    up(shell)
    assert shell.run("wait", run_id).returncode == 0
    assert shell.run("logs", run_id).stdout == "alone\n"


def test_down_with_cancel_ends_everything(shell: Shell) -> None:
    sleep = python("import time; time.sleep(300)")
    ids = [
        json.loads(shell.run("run", "--detach", "--json", "--", *sleep).stdout)["run_id"] for _ in range(2)
    ]
    wait_until(lambda: status_of(shell, ids[1]) == "running", 60, "the runs are up")
    assert shell.run("down", "--cancel").returncode == 0
    up(shell)
    assert not json.loads(shell.run("resources", "--json").stdout)["semaphore"]["is_paused"]
    assert {status_of(shell, run_id) for run_id in ids} == {"cancelled"}
    assert not [p for run_id in ids for p in processes_with({"RUNYARD_RUN_ID": run_id})]


def test_verbs_that_need_a_server_say_so_without_one(shell: Shell) -> None:
    shell.run("down")
    done = shell.run("resources")
    assert done.returncode == 3
    assert "runyard up" in done.stderr


def test_the_wheel_carries_the_page(installed: Installed) -> None:
    code = (
        "import re, runyard_dashboards as d; html = d.index('/runs/x').decode();"
        'names = re.findall(r\'(?:src|href)="\\./([^"]+)"\', html);'
        "print(len(names), all(d.asset(name) for name in names), '<base href=\"../\" />' in html)"
    )
    told = subprocess.run(
        [installed.python, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert int(told[0]) >= 4
    assert told[1:] == ["True", "True"]
