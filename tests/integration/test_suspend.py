"""Suspend and resume, by every door: REST, Python, the command line; and what becomes of it when the server is away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from runyard import Run
from runyard_cluster.errors import ConflictError
from tests.in_process import InProcess, in_process
from tests.support import python, wait_until

COUNTING = "import time\ni = 0\nwhile True:\n  i += 1; print(i, flush=True); time.sleep(0.01)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture
def http(server: InProcess) -> Iterator[httpx.Client]:
    with server.http() as found:
        yield found


def running(http: httpx.Client, **more: object) -> str:
    """Submit a run that counts aloud; return its id once it runs."""
    body = {"command": python(COUNTING), "num_cpus": 0.1, "memory": "64MiB", **more}
    run_id = str(http.post("/api/runs", json=body).json()["run_id"])
    wait_until(lambda: http.get(f"/api/runs/{run_id}").json()["status"] == "running", 20, "its start")
    wait_until(lambda: log_size(http, run_id) > 10, 20, "its output")
    return run_id


def log_size(http: httpx.Client, run_id: str) -> int:
    return len(http.get(f"/api/runs/{run_id}/log").content)


def events(server: InProcess, run_id: str) -> list[str]:
    return [e["kind"] for e in server.context.reader.events(0, 100_000) if e["run_id"] == run_id]


def test_a_suspended_run_stays_running_and_says_that_it_is_suspended(
    server: InProcess, http: httpx.Client
) -> None:
    run_id = running(http)
    answer = http.post(f"/api/runs/{run_id}/suspend")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["suspended"]) == ("running", True)
    size = log_size(http, run_id)
    assert http.post(f"/api/runs/{run_id}/suspend").json()["suspended"], "a repeat is no error"
    listed = http.get("/api/runs", params={"status": "running"}).json()["runs"]
    assert [r["suspended"] for r in listed if r["run_id"] == run_id] == [True]
    used = http.get("/api/resources").json()["nodes"][0]["declared"]["memory"]
    assert used >= 64 << 20, "its resources stay its own"
    assert log_size(http, run_id) == size

    answer = http.post(f"/api/runs/{run_id}/resume")
    assert (answer.status_code, answer.json()["suspended"]) == (200, False)
    assert http.post(f"/api/runs/{run_id}/resume").status_code == 200, "a repeat is no error"
    wait_until(lambda: log_size(http, run_id) > size, 20, "more output")
    http.post(f"/api/runs/{run_id}/cancel")
    assert events(server, run_id).count("run_suspended") == 1
    assert events(server, run_id).count("run_resumed") == 1


def test_a_suspended_run_is_cancelled_and_not_suspended_then(http: httpx.Client) -> None:
    run_id = running(http)
    http.post(f"/api/runs/{run_id}/suspend")
    http.post(f"/api/runs/{run_id}/cancel")
    wait_until(lambda: http.get(f"/api/runs/{run_id}").json()["status"] == "cancelled", 20, "its end")
    assert not http.get(f"/api/runs/{run_id}").json()["suspended"]


@pytest.mark.parametrize("verb", ["suspend", "resume"])
def test_what_does_not_run_is_refused_in_words(http: httpx.Client, verb: str) -> None:
    unknown = http.post(f"/api/runs/{'0' * 26}/{verb}")
    assert unknown.status_code == 404
    ended = http.post("/api/runs", json={"command": ["true"]}).json()["run_id"]
    wait_until(lambda: http.get(f"/api/runs/{ended}").json()["status"] == "completed", 20, "its end")
    answer = http.post(f"/api/runs/{ended}/{verb}")
    assert (answer.status_code, answer.json()["detail"]) == (409, f"run {ended} has ended already: completed")
    http.post("/api/pause")
    queued = http.post("/api/runs", json={"command": ["true"]}).json()["run_id"]
    answer = http.post(f"/api/runs/{queued}/{verb}")
    http.post("/api/resume")
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith(f"run {queued} has not started yet; only a running run can be")


def test_python_suspends_and_resumes(server: InProcess) -> None:
    with server.session() as session:
        run: Run = session.submit(
            {"command": python("print(1, flush=True); import time; time.sleep(2)")}, None
        )
        next(run.follow())
        assert run.suspend().suspended is True
        assert run.status == "running"
        assert run.resume().suspended is False
        assert run.result(30).status == "completed"
        with pytest.raises(ConflictError):
            run.suspend()


def test_the_command_line_suspends_and_resumes_runs_and_batches(
    server: InProcess, http: httpx.Client
) -> None:
    run_id = running(http)
    environ = {**os.environ, "RUNYARD_TOKEN": server.token}

    def runyard(*words: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "runyard", "--url", server.url, *words]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    assert runyard("suspend", run_id) == (0, f"{run_id}  suspended\n", "")
    assert http.get(f"/api/runs/{run_id}").json()["suspended"]
    assert "running, suspended" in runyard("ps")[1]
    assert runyard("resume", run_id[:-1]) == (0, f"{run_id}  goes on\n", "")
    assert not http.get(f"/api/runs/{run_id}").json()["suspended"]
    http.post(f"/api/runs/{run_id}/cancel")
    wait_until(lambda: http.get(f"/api/runs/{run_id}").json()["status"] == "cancelled", 20, "its end")
    code, out, err = runyard("suspend", run_id)
    assert (code, out) == (1, "")
    assert "has ended already" in err
    # Without a run, it is admission as ever.
    assert runyard("pause")[0] == 0
    assert http.get("/api/resources").json()["semaphore"]["is_paused"]
    assert runyard("resume")[0] == 0
    assert not http.get("/api/resources").json()["semaphore"]["is_paused"]


def test_the_store_follows_what_the_folder_says(server: InProcess, http: httpx.Client) -> None:
    """As after a crash between the request and its record."""
    run_id = running(http)
    folder = server.manager._yard.active[run_id].folder  # type: ignore[index]
    folder.request_suspend()
    wait_until(lambda: http.get(f"/api/runs/{run_id}").json()["suspended"], 20, "the suspension")
    folder.request_resume()
    wait_until(lambda: not http.get(f"/api/runs/{run_id}").json()["suspended"], 20, "the resumption")
    http.post(f"/api/runs/{run_id}/cancel")


def test_a_retry_does_not_begin_suspended(http: httpx.Client, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    code = (
        f"import os, sys, time\nif os.path.exists({str(flag)!r}): sys.exit(0)\n"
        f"open({str(flag)!r}, 'w').close(); print('one one one', flush=True); time.sleep(60)"
    )
    run_id = running(http, command=python(code), max_retries=1)
    run = http.post(f"/api/runs/{run_id}/suspend").json()

    os.kill(run["pid"], signal.SIGKILL)
    wait_until(lambda: http.get(f"/api/runs/{run_id}").json()["status"] == "completed", 30, "the retry")
    run = http.get(f"/api/runs/{run_id}").json()
    assert (run["attempt"], run["suspended"]) == (2, False)
