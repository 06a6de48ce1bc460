"""Modules are put, run by id, kept over a restart, and taken out; those of runyard.toml belong to the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.in_process import InProcess, in_process
from tests.rest import assert_problem, submit, wait_ended
from tests.support import python, wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    of_file = {"fixed": {"command": ["true"], "num_cpus": 1}}
    with in_process(tmp_path_factory.mktemp("server"), modules=of_file) as found:
        yield found


@pytest.fixture
def client(server: InProcess) -> Iterator[httpx.Client]:
    with server.http() as found:
        yield found


def test_a_module_is_put_shown_run_and_deleted(client: httpx.Client) -> None:
    command = python("import os, sys; print(os.environ['GREETING'], *sys.argv[1:])")
    definition = {
        "command": command,
        "env": {"GREETING": "hello"},
        "memory": "512MB",
        "timeout": "1m",
        "num_cpus": 0.5,
    }
    put = client.put("/api/modules/greeter", json=definition)
    assert put.status_code == 201
    assert (put.json()["memory"], put.json()["timeout"], put.json()["env_keys"]) == (
        512_000_000,
        60,
        ["GREETING"],
    )
    assert put.json() == client.get("/api/modules/greeter").json()
    run = submit(client, module_id="greeter", args=["world"])
    assert (run["memory"], run["num_cpus"], run["timeout_seconds"]) == (512_000_000, 0.5, 60)
    assert wait_ended(client, run["run_id"])["status"] == "completed"
    assert client.get(f"/api/runs/{run['run_id']}/log").text == "hello world\n"
    again = client.put("/api/modules/greeter", json={"command": ["true"]})
    assert again.status_code == 200
    assert (again.json()["memory"], again.json()["env_keys"]) == (None, [])
    gone = client.delete("/api/modules/greeter")
    assert (gone.status_code, gone.content) == (204, b"")
    assert_problem(client.get("/api/modules/greeter"), 404)
    assert_problem(client.delete("/api/modules/greeter"), 404)
    assert_problem(client.post("/api/runs", json={"module_id": "greeter"}), 404, "fixed")
    restarted = client.post(f"/api/runs/{run['run_id']}/restart")
    assert restarted.status_code == 202
    assert wait_ended(client, restarted.json()["run_id"])["status"] == "completed"


def test_a_module_of_the_file_is_not_changed_here(client: httpx.Client) -> None:
    assert_problem(client.put("/api/modules/fixed", json={"command": ["false"]}), 409, "runyard.toml")
    assert_problem(client.delete("/api/modules/fixed"), 409, "runyard.toml")
    assert client.get("/api/modules/fixed").json()["is_of_file"] is True
    assert client.get("/api/modules/fixed").json()["command"] == ["true"]


def test_the_list_is_sorted_and_says_where_each_is_set(client: httpx.Client) -> None:
    for module_id in ("a b", "ünïcode 🦄", "Z"):
        assert client.put(f"/api/modules/{module_id}", json={"command": ["true"]}).status_code == 201
    modules = client.get("/api/modules").json()["modules"]
    assert [m["module_id"] for m in modules] == ["Z", "a b", "fixed", "ünïcode 🦄"]
    assert [m["is_of_file"] for m in modules] == [False, False, True, False]
    for module_id in ("a b", "ünïcode 🦄", "Z"):
        assert client.delete(f"/api/modules/{module_id}").status_code == 204


def test_paths_are_taken_from_the_servers_own_folder(client: httpx.Client) -> None:
    put = client.put("/api/modules/paths", json={"script": "modules/../a.py", "cwd": "/tmp"}).json()
    assert (put["script"], put["cwd"]) == (str(Path.cwd() / "a.py"), "/tmp")
    assert client.delete("/api/modules/paths").status_code == 204


def test_a_limit_holds_at_once_and_goes_with_its_module(client: httpx.Client) -> None:
    module = {"command": ["sleep", "1000"], "num_cpus": 0.1, "memory": "16MiB"}
    assert client.put("/api/modules/limited", json={**module, "max_concurrent": 1}).status_code == 201
    runs = [submit(client, module_id="limited")["run_id"] for _ in range(3)]

    def running() -> int:
        return sum(client.get(f"/api/runs/{r}").json()["status"] == "running" for r in runs)

    wait_until(lambda: running() == 1, 20, "one runs")
    assert "module limited" in client.get(f"/api/runs/{runs[1]}").json()["waiting_for"]
    assert client.put("/api/modules/limited", json={**module, "max_concurrent": 2}).status_code == 200
    wait_until(lambda: running() == 2, 20, "two run")
    assert client.delete("/api/modules/limited").status_code == 204
    wait_until(lambda: running() == 3, 20, "all run")
    for run_id in runs:
        assert client.post(f"/api/runs/{run_id}/cancel").status_code == 200


def test_modules_are_kept_when_the_server_starts_anew(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        client.put("/api/modules/kept", json={"command": ["true"], "labels": {"a": "b"}})
        client.put("/api/modules/gone", json={"command": ["true"]})
        client.delete("/api/modules/gone")
        before = client.get("/api/modules").json()
    with in_process(tmp_path) as server, server.http() as client:
        assert client.get("/api/modules").json() == before
        assert [m["module_id"] for m in before["modules"]] == ["kept"]
        run = submit(client, module_id="kept")
        assert run["labels"] == {"a": "b"}
        assert wait_ended(client, run["run_id"])["status"] == "completed"
