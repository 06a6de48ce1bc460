"""`exit_code` narrows lists of runs, alone and with all else, and follows runs as they end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.in_process import in_process
from tests.rest import assert_problem, submit, wait_ended
from tests.support import python


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    with in_process(tmp_path) as server, server.http() as found:
        yield found


def exiting(client: httpx.Client, code: int, name: str = "Exits") -> str:
    """Run something that ends with a code; return its id once it has ended."""
    run = submit(client, command=python(f"raise SystemExit({code})"), name=name, num_cpus=0.1, memory="64MiB")
    return str(wait_ended(client, run["run_id"])["run_id"])


def listed(client: httpx.Client, query: str) -> list[str]:
    answer = client.get(f"/api/runs?{query}").json()
    assert answer["total"] == len(answer["runs"])
    return [run["run_id"] for run in answer["runs"]]


def test_runs_are_found_by_how_they_exited(client: httpx.Client) -> None:
    good, three = exiting(client, 0), exiting(client, 3)
    assert listed(client, "exit_code=3") == [three]
    again = exiting(client, 3, name="Again")
    assert listed(client, "exit_code=3") == [again, three]
    assert listed(client, "exit_code=3&sort=created_at&q=exits") == [three]
    assert listed(client, "exit_code=0") == [good]
    assert listed(client, "exit_code=0&exit_code=3&status=failed") == [again, three]
    assert listed(client, "exit_code=137") == []


@pytest.mark.parametrize("query", ["exit_code=", "exit_code=one", "exit_code=1.5", "exit_code=4294967296"])
def test_what_is_no_exit_code_is_refused_by_name(client: httpx.Client, query: str) -> None:
    assert_problem(client.get(f"/api/runs?{query}"), 422, "exit_code")
