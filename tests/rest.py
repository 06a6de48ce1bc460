"""What tests of the REST API share: looking at problem documents, and waiting for runs to end."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.support import wait_until

JSON = {"Content-Type": "application/json"}
MIB = 2**20
#: What a refusal may take, whatever was sent.
SMALL = 2_000


def run_count(client: httpx.Client) -> int:
    """Return how many runs were ever accepted."""
    return int(client.get("/api/runs", params={"limit": 1}).json()["total"])


def assert_problem(response: httpx.Response, status: int, words: str = "") -> dict[str, Any]:
    """Check that the answer is a small problem document with that status, and return it."""
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.content) < SMALL
    found: dict[str, Any] = response.json()
    assert found["status"] == status
    assert found["type"].startswith("urn:runyard:")
    assert found["title"]
    assert found["detail"]
    assert words in json.dumps(found, ensure_ascii=False)
    return found


def submit(client: httpx.Client, **run: Any) -> dict[str, Any]:
    """Submit a run, and return it as accepted."""
    response = client.post("/api/runs", json=run)
    assert response.status_code == 202, response.text
    found: dict[str, Any] = response.json()
    return found


def ended(client: httpx.Client, run_id: str) -> dict[str, Any] | None:
    """Return the run once it has ended, or None."""
    run: dict[str, Any] = client.get(f"/api/runs/{run_id}").json()
    return None if run["status"] in ("queued", "running") else run


def wait_ended(client: httpx.Client, run_id: str) -> dict[str, Any]:
    """Return the run when it has ended."""
    found = wait_until(lambda: ended(client, run_id), 30, f"run {run_id} ended")
    assert found is not None
    return found
