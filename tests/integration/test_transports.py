"""The same program gets the same results from an embedded server, a running one, and inside a Ray driver."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import TestSession, embedded

PROGRAM = Path(__file__).with_name("transport_program.py")


@pytest.fixture(scope="module")
def up() -> Iterator[TestSession]:
    """A server as `runyard up` starts it."""
    with embedded("cpu_busy_percent = 0\nmax_concurrent_runs = 4\n", up=True) as session:
        yield session


@pytest.fixture(scope="module")
def on_demand() -> Iterator[TestSession]:
    """A server as a program starts it."""
    with embedded("cpu_busy_percent = 0\nmax_concurrent_runs = 4\n") as session:
        yield session


@pytest.fixture(scope="module", params=["embedded", "server", "driver"])
def results(request: pytest.FixtureRequest) -> dict[str, object]:
    """What the program found out in one of the three ways."""
    session = request.getfixturevalue("on_demand" if request.param == "embedded" else "up")
    environ = {k: v for k, v in os.environ.items() if not k.startswith("RUNYARD_")}
    arguments = []
    if request.param == "driver":
        arguments = [(session.data_dir.ray_temp / "ray_current_cluster").read_text().strip()]
        environ |= {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(session.data_dir.ray_token_file),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        }
    else:
        environ["RUNYARD_CONFIG"] = str(session.data_dir.path.parent / "runyard.toml")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments], env=environ, capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_results_come_in_order_with_exceptions_in_place(results: dict[str, object]) -> None:
    assert results["batch"] == [
        "0\n",
        "RunFailedError exit_code 3",
        "2\n",
        "RunTimeoutError timeout None",
        "RunCancelledError dependency_failed None",
    ]


def test_every_run_comes_out_of_as_completed_once(results: dict[str, object]) -> None:
    assert results["completed"] == [0, 1, 2, 3, 4]


def test_awaiting_and_waiting_agree(results: dict[str, object]) -> None:
    assert results["awaited"] == ["a\n", "b\n"]
    assert results["executor"] == ["4\n", ["0\n", "RunFailedError", "2\n"]]


def test_cancel_restart_and_follow_work(results: dict[str, object]) -> None:
    assert results["cancelled"] == "cancelled_by_user"
    assert results["restarted"] == ["new\n", True]
    assert results["followed"] == ["one", "two"]


def test_refusals_are_the_same_classes(results: dict[str, object]) -> None:
    assert results["refusals"] == {
        "too large": "ResourceLimitError",
        "misspelt": "InvalidRequestError",
        "one bad of two": "InvalidRequestError",
        "unknown module": "NotFoundError",
        "no slot": "ConcurrencyLimitError",
        "other body": "ConflictError",
    }
