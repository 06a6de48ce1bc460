"""Each attempt keeps where it came from, and a restart says what changed since."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from runyard_cluster.origin import finder
from tests.fake_cluster import FakeCluster
from tests.in_process import in_process
from tests.integration.test_other_nodes import yard
from tests.rest import submit, wait_ended
from tests.support import wait_until
from tests.unit.origin.test_origin import git

SMALL = {"num_cpus": 0.1, "memory": "64MiB"}


def origin(client: httpx.Client, run_id: str) -> dict[str, Any]:
    found = wait_until(lambda: client.get(f"/api/runs/{run_id}").json()["origin"], 30, "it is noted")
    assert isinstance(found, dict)
    return found


def repository(tmp_path: Path) -> tuple[Path, Path]:
    """Return a folder whose one script is committed, and the script."""
    code = tmp_path / "code"
    code.mkdir()
    git(code, "init", "-q")
    script = code / "train.py"
    script.write_text("print(1)\n")
    git(code, "add", ".")
    git(code, "commit", "-qm", "one")
    return code, script


def test_a_run_keeps_its_interpreter_packages_and_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "FRESH_SECONDS", 0.0)
    code, script = repository(tmp_path)
    with in_process(tmp_path) as server, server.http() as client:
        body = {"script": str(script), "python": sys.executable, **SMALL}
        first = submit(client, **body)["run_id"]
        wait_ended(client, first)
        found = origin(client, first)
        assert found["commit"] == git(code, "rev-parse", "HEAD")
        assert (found["dirty"], found["python"]) == (False, sys.executable)
        assert found["python_version"] and found["packages"]
        same = client.post(f"/api/runs/{first}/restart").json()
        assert same["code_changed"] == []
        script.write_text("print(2)\n")
        git(code, "commit", "-qam", "two")
        again = client.post(f"/api/runs/{first}/restart").json()
        (change,) = again["code_changed"]
        assert change.startswith("commit ")
        wait_ended(client, again["run_id"])
        origin(client, again["run_id"])
        shown = client.get(f"/api/runs/{again['run_id']}").json()
        assert shown["code_changed"] == [change]
        (attempt,) = client.get(f"/api/runs/{first}/attempts").json()
        assert attempt["origin"] == found


def test_a_start_whose_origin_is_known_keeps_it_in_the_same_commit(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        first = submit(client, command=["true"], cwd=str(tmp_path), **SMALL)["run_id"]
        nothing = {"python": None, "python_version": None, "packages": None, "commit": None, "dirty": None}
        assert origin(client, first) == nothing
        wait_ended(client, first)
        second = submit(client, command=["true"], cwd=str(tmp_path), **SMALL)["run_id"]
        assert wait_ended(client, second)["origin"] == nothing
        assert client.get("/api/runs").json()["runs"][0]["origin"] is None, "lists do not carry it"
        restarted = client.post(f"/api/runs/{second}/restart").json()
        assert restarted["code_changed"] == []


def test_a_run_on_another_node_keeps_what_that_node_found(tmp_path: Path) -> None:
    code, script = repository(tmp_path)
    cluster = FakeCluster(tmp_path / "nodes", ws2=2)
    with yard(tmp_path, cluster) as (server, session), server.http() as client:
        # Given a node that cannot be asked for it at first
        cluster.by_name["ws2"].lost_calls = {"origins"}
        run = session.submit({"script": str(script), "python": sys.executable, "node": "ws2", **SMALL}, None)
        assert run.wait(30).exit_code == 0
        assert client.get(f"/api/runs/{run.run_id}").json()["origin"] is None
        cluster.by_name["ws2"].lost_calls = set()
        # Then it is found as soon as it can
        found = origin(client, run.run_id)
        assert (found["commit"], found["dirty"]) == (git(code, "rev-parse", "HEAD"), False)
        assert found["python"] == sys.executable and found["packages"]
        # And a restart, which may start anywhere, is compared by its commit
        script.write_text("print(2)\n")
        again = client.post(f"/api/runs/{run.run_id}/restart").json()
        assert again["code_changed"] == ["files differ from the commit now"]


@pytest.mark.parametrize("node", ["ws2", "here"])
def test_what_is_shipped_keeps_the_commit_that_it_was_taken_of(tmp_path: Path, node: str) -> None:
    code, script = repository(tmp_path)
    commit = git(code, "rev-parse", "HEAD")
    cluster = FakeCluster(tmp_path / "nodes", ws2=2)
    with yard(tmp_path, cluster) as (server, session), server.http() as client:
        # Given a run that waits while its folder goes on
        client.post("/api/pause")
        body = {
            "script": str(script),
            "python": sys.executable,
            "cwd": str(code),
            "code": "ship",
            "node": node,
            **SMALL,
        }
        run = session.submit(body, None)
        script.write_text("print(2)\n")
        git(code, "commit", "-qam", "two")
        client.post("/api/resume")
        # Then it has the commit of its submit, and its restart, of the same snapshot, has no other
        assert run.wait(30).exit_code == 0
        found = origin(client, run.run_id)
        assert (found["commit"], found["dirty"]) == (commit, False)
        assert client.post(f"/api/runs/{run.run_id}/restart").json()["code_changed"] == []
