"""Each attempt keeps where it came from, and a restart says what changed since."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from runyard_cluster.origin import finder
from tests.in_process import in_process
from tests.rest import submit, wait_ended
from tests.support import wait_until
from tests.unit.origin.test_origin import git

SMALL = {"num_cpus": 0.1, "memory": "64MiB"}


def origin(client: httpx.Client, run_id: str) -> dict[str, Any]:
    found = wait_until(lambda: client.get(f"/api/runs/{run_id}").json()["origin"], 30, "it is noted")
    assert isinstance(found, dict)
    return found


def test_a_run_keeps_its_interpreter_packages_and_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "FRESH_SECONDS", 0.0)
    code = tmp_path / "code"
    code.mkdir()
    git(code, "init", "-q")
    script = code / "train.py"
    script.write_text("print(1)\n")
    git(code, "add", ".")
    git(code, "commit", "-qm", "one")
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
