"""What Ray shows of us, and how a program that uses Ray itself finds us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.integration.conftest import TestSession, embedded
from tests.support import python, wait_until


@pytest.fixture(scope="module")
def shown() -> Iterator[TestSession]:
    """A server with Ray's dashboard, as `runyard up` starts it."""
    with embedded("cpu_busy_percent = 0\n", up=True) as session:
        yield session


def dashboard(session: TestSession, path: str, **query: object) -> httpx.Response:
    """Ask Ray's dashboard over HTTP, with Ray's token."""
    token = session.data_dir.ray_token_file.read_text().strip()
    return httpx.get(
        session.server()["dashboard"] + path,
        params=query,
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=60,
    )


def test_a_run_is_a_ray_task_with_its_name_and_its_log_in_the_dashboard(shown: TestSession) -> None:
    # Given a run that goes on
    code = "print('seen from ray', flush=True); import time; time.sleep(300)"
    run = shown.submit({"module_id": "visible", "command": python(code), "num_cpus": 1}, None)
    wait_until(lambda: run.status == "running", 60, "the run is up")
    # When the dashboard lists tasks, it is there under its module's name and its id
    name = f"visible {run.run_id}"
    tasks = wait_until(
        lambda: dashboard(
            shown,
            "/api/v0/tasks",
            filter_keys="name",
            filter_predicates="=",
            filter_values=name,
            detail=True,
        ).json()["data"]["result"]["result"],
        60,
        "the task is listed",
    )
    assert tasks[0]["required_resources"]["CPU"] == 1.0
    # And the link on the run leads to its log, there
    link = shown.client.run(run.run_id)["ray_log_url"]
    query = parse_qs(urlsplit(urlsplit(link).fragment).query)
    file, node = query["fileName"][0], query["nodeId"][0]
    log = wait_until(
        lambda: dashboard(shown, "/api/v0/logs/file", node_id=node, filename=file, lines=10).text,
        30,
        "the log is there",
    )
    assert "seen from ray" in log
    run.cancel()
    run.wait(30)


def test_ray_refuses_callers_without_its_token(shown: TestSession) -> None:
    answer = httpx.get(shown.server()["dashboard"] + "/api/v0/tasks", trust_env=False, timeout=30)
    assert answer.status_code in (401, 403)


DRIVER = """
import json, sys, ray
from runyard import submit, submit_batch, RunFailedError
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="error", configure_logging=False)
batch = submit_batch([{"command": [sys.executable, "-c", f"print({n})"]} for n in range(3)])
logs = [r.log() for r in batch.results()]
try:
    submit({"command": [sys.executable, "-c", "raise SystemExit(3)"]}).result()
except RunFailedError as error:
    logs.append(error.exit_code)
print(json.dumps([logs, batch.runs[0].run_id]))
"""


def test_a_ray_driver_uses_the_manager_of_its_cluster(shown: TestSession, tmp_path: Path) -> None:
    # Given a program that is a driver of our Ray and knows nothing of our data folder
    gcs = next(Path(shown.data_dir.ray_temp).glob("ray_current_cluster")).read_text().strip()
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith("RUNYARD_")},
        "RUNYARD_DATA_DIR": str(tmp_path / "another"),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(shown.data_dir.ray_token_file),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, gcs], env=environ, capture_output=True, text=True, timeout=150
    )
    assert done.returncode == 0, done.stderr
    logs, run_id = json.loads(done.stdout.splitlines()[-1])
    assert logs == ["0\n", "1\n", "2\n", 3]
    assert shown.client.run(run_id)["status"] == "completed"
    assert not (tmp_path / "another").exists()
