"""A server on PostgreSQL: killed, or left without its database, it loses nothing and starts nothing twice."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import httpx

from tests.postgres_server import PostgresServer
from tests.server_process import ServerProcess, server_process
from tests.support import lines_of, python, wait_until


def counting(ground: Path, number: int, code: int, waits: bool) -> dict[str, Any]:
    """Return a run that notes its start, prints, and ends with `code`, if asked once the gate is open."""
    note = f"import os, sys, time; open({str(ground / 'starts' / str(number))!r}, 'a').write('{number}\\n'); "
    gate = f"\nwhile not os.path.exists({str(ground / 'gate')!r}): time.sleep(0.02)" if waits else ""
    return {
        "command": python(f"{note}print('run {number}'){gate}\nsys.exit({code})"),
        "name": f"job {number}",
    }


def ended(http: httpx.Client, run_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Return runs by id once all of them have ended."""

    def all_of_them() -> dict[str, dict[str, Any]] | None:
        found = {run_id: http.get(f"/api/runs/{run_id}").json() for run_id in run_ids}
        return found if all(run["ended_at"] for run in found.values()) else None

    return wait_until(all_of_them, 60, "all runs have ended")


def settled(http: httpx.Client, run_ids: list[str]) -> list[dict[str, Any]]:
    """Return what history shows of ended runs."""
    listed = http.get("/api/runs", params={"limit": 1000, "sort": "created_at"}).json()["runs"]
    return [run for run in listed if run["run_id"] in run_ids]


def test_a_killed_server_s_runs_are_adopted_from_postgresql(postgres: PostgresServer, tmp_path: Path) -> None:
    (tmp_path / "starts").mkdir()
    place = postgres.fresh()
    with server_process(tmp_path, database_url=place.url, max_concurrent_runs=3) as server:
        # Given runs that ended, three that go, and five that wait
        with server.http() as http:
            first = http.post("/api/runs", json=counting(tmp_path, 0, 7, waits=False)).json()["run_id"]
            ended(http, [first])
            runs = [counting(tmp_path, n, n % 3, waits=n < 4) for n in range(1, 9)]
            body, key = {"runs": runs, "name": "sweep"}, {"Idempotency-Key": "once"}
            batch = http.post("/api/batches", json=body, headers=key).json()
            ids = [run["run_id"] for run in batch["runs"]]
            wait_until(lambda: len(list((tmp_path / "starts").iterdir())) == 4, 60, "three are going")
            before = settled(http, [first])
        # When server and manager are killed, and the next ones take over
        server.kill()
        server.start()
        with server.http() as http:
            # Then history is the same, the same key gives the same batch, and all end as they would have
            assert settled(http, [first]) == before
            again = http.post("/api/batches", json=body, headers=key).json()
            assert again["batch_id"] == batch["batch_id"]
            (tmp_path / "gate").touch()
            found = ended(http, ids)
            assert [found[run_id]["exit_code"] for run_id in ids] == [n % 3 for n in range(1, 9)]
            assert sorted(lines_of(tmp_path / "starts")) == [str(n) for n in range(9)]
            check_calls(http, batch["batch_id"], ids)
        assert not (server.data_dir.path / "runyard.db").exists()


def check_calls(http: httpx.Client, batch_id: str, ids: list[str]) -> None:
    """Ask the main calls of REST once."""
    assert http.get("/readyz").status_code == 200
    counts = http.get(f"/api/batches/{batch_id}").json()["counts"]
    assert (counts["completed"], counts["failed"]) == (2, 6)
    assert http.get("/api/stats").json()["counts"]["failed"] == 7
    page = http.get(
        "/api/runs", params={"status": "failed", "exit_code": 2, "q": "JOB", "sort": "-duration"}
    ).json()
    assert page["total"] == 3 and {run["exit_code"] for run in page["runs"]} == {2}
    assert http.get(f"/api/runs/{ids[4]}/log").text == "run 5\n"
    assert http.get(f"/api/runs/{ids[4]}").json()["attempt"] == 1
    put = http.put("/api/modules/echo", json={"command": ["echo", "hi"]})
    assert put.status_code < 300 and "echo" in http.get("/api/modules").text
    restarted = http.post(f"/api/runs/{ids[0]}/restart", json={}).json()["run_id"]
    assert ended(http, [restarted])[restarted]["restarted_from"] == ids[0]
    held = http.post("/api/runs", json={"command": ["true"], "hold": True}).json()["run_id"]
    assert http.post(f"/api/runs/{held}/cancel").status_code == 200
    assert ended(http, [held])[held]["status"] == "cancelled"
    assert "runyard_runs" in http.get("/metrics").text


def test_a_database_that_is_gone_refuses_new_work_and_what_runs_goes_on(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    (tmp_path / "starts").mkdir()
    with server_process(tmp_path, database_url=postgres.fresh().url) as server, server.http() as http:
        run_id = http.post("/api/runs", json=counting(tmp_path, 1, 5, waits=True)).json()["run_id"]
        wait_until(lambda: (tmp_path / "starts" / "1").exists(), 60, "it is going")
        try:
            postgres.stop(signal.SIGQUIT)
            refused = http.post("/api/runs", json=counting(tmp_path, 2, 0, waits=False))
            assert refused.status_code == 503 and "cannot be used right now" in refused.json()["detail"]
            (tmp_path / "gate").touch()
            wait_until(lambda: http.get("/readyz").status_code == 503, 60, "it is not ready")
        finally:
            postgres.start()
        check_back(server, http, run_id, tmp_path)


def check_back(server: ServerProcess, http: httpx.Client, run_id: str, ground: Path) -> None:
    """Nothing was asked of anybody: what ended meanwhile is recorded, and new work is taken."""
    assert ended(http, [run_id])[run_id]["exit_code"] == 5
    wait_until(lambda: http.get("/readyz").status_code == 200, 60, "it is ready")
    last = http.post("/api/runs", json=counting(ground, 3, 0, waits=False)).json()["run_id"]
    assert ended(http, [last])[last]["status"] == "completed"
    assert http.get("/api/runs").json()["total"] == 2
    assert server.is_alive
