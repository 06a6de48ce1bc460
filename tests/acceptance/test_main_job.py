"""The main job of the README: the standard library measured, one run a package."""

from __future__ import annotations

import json

from tests.acceptance.conftest import ROOT, Shell

ATLAS = ROOT / "examples" / "stdlib" / "atlas.csv"


def test_the_main_job_ends_as_expected_and_is_there_afterwards(shell: Shell) -> None:
    done = shell.run("batch", str(ATLAS))
    # Given that one run fails on purpose and one never ends by itself
    assert done.returncode == 1, done.stdout + done.stderr
    assert "56 completed, 2 failed" in done.stdout + done.stderr
    # When new processes ask for the history
    page = json.loads(shell.run("history", "--json", "--limit", "100").stdout)
    runs = {run["module_name"]: run for run in page["runs"]}
    assert page["total"] == 58
    assert {name for name, run in runs.items() if run["status"] != "completed"} == {
        "fails-on-purpose",
        "never-ends",
    }
    # Then each run is as its module made it
    assert runs["never-ends"]["reason"] == "timeout"
    assert (runs["fails-on-purpose"]["reason"], runs["fails-on-purpose"]["exit_code"]) == ("exit_code", 1)
    assert runs["flaky"]["attempt"] == 2
    assert runs["json"]["result"]["package"] == "json"
    assert runs["json"]["result"]["files"] > 3
    log = shell.run("logs", runs["fails-on-purpose"]["run_id"])
    assert "antigravity_drive" in log.stdout


def test_show_prints_a_run_by_the_start_of_its_id(shell: Shell) -> None:
    last = json.loads(shell.run("history", "--json", "--limit", "1").stdout)["runs"][0]
    shown = json.loads(shell.run("show", last["run_id"][:-1], "--json").stdout)
    assert shown["run_id"] == last["run_id"]
    assert json.loads(shell.run("show", "last", "--json").stdout)["run_id"] == last["run_id"]
