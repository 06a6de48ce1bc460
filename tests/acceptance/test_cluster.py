"""What only a cluster has: runs are sent to a node, and are looked at and ended there as they are anywhere."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.conftest import SECOND, Shell
from tests.support import processes_with, python, wait_until


@pytest.fixture(autouse=True)
def only_of_a_cluster(shell: Shell) -> None:
    if shell.mode != "cluster":
        pytest.skip("it takes a cluster")


def test_a_batch_is_spread_over_the_nodes_that_its_rows_name(shell: Shell) -> None:
    nodes = sorted(shell.nodes())
    assert SECOND in nodes
    rows = [{"command": python(f"print({n})"), "node": nodes[n % 2]} for n in range(8)]
    file = shell.folder / "spread.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = shell.run("batch", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    runs = json.loads(shell.run("history", "--json", "--limit", "8").stdout)["runs"]
    assert [run["node"] for run in reversed(runs)] == [row["node"] for row in rows]
    assert [shell.run("logs", run["run_id"]).stdout for run in reversed(runs)] == [f"{n}\n" for n in range(8)]


def test_code_is_shipped_to_another_node(shell: Shell) -> None:
    folder = shell.folder / "code"
    folder.mkdir()
    (folder / "main.py").write_text("print('as submitted')\n")
    where = ["--node", SECOND, "--cwd", str(folder), "--code", "ship"]
    done = shell.run("run", *where, "--", shell.installed.python, "main.py")
    assert (done.returncode, done.stdout) == (0, "as submitted\n"), done.stderr


def test_what_runs_on_another_node_outlives_the_server_and_can_be_cancelled(shell: Shell) -> None:
    sleep = python("import time; time.sleep(600)")
    run = json.loads(shell.run("run", "--detach", "--json", "--node", SECOND, "--", *sleep).stdout)
    mine = {"RUNYARD_RUN_ID": run["run_id"]}
    wait_until(lambda: processes_with(mine), 60, "it is going")
    assert shell.run("down").returncode == 0
    assert processes_with(mine)
    shell.up()
    assert shell.run("cancel", run["run_id"]).returncode == 0
    assert shell.run("wait", run["run_id"]).returncode == 1
    shown = json.loads(shell.run("show", run["run_id"], "--json").stdout)
    assert (shown["status"], shown["node"], shown["attempt"]) == ("cancelled", SECOND, 1)
    wait_until(lambda: not processes_with(mine), 30, "nothing of it is left")
