"""A batch as squares and its failures in groups, over REST."""

from __future__ import annotations

from pathlib import Path

from tests.in_process import in_process
from tests.rest import assert_problem, wait_ended
from tests.support import python


def test_a_batch_is_told_in_squares_and_failures_in_groups(tmp_path: Path) -> None:
    broken = "import sys; sys.exit(f'no such table: {sys.argv[1]}')"
    runs = [
        {"command": python("pass"), "name": "Good"},
        *({"command": python(broken, str(number)), "name": "Bad"} for number in range(3)),
    ]
    with in_process(tmp_path) as server, server.http() as client:
        batch = client.post("/api/batches", json={"runs": runs}).json()
        ids = [run["run_id"] for run in batch["runs"]]
        for run_id in ids:
            wait_ended(client, run_id)
        squares = client.get(f"/api/batches/{batch['batch_id']}/squares").json()
        assert squares == {
            "run_ids": ids,
            "statuses": ["completed", *["failed"] * 3],
            "names": ["Good", "Bad"],
            "name_of": [0, 1, 1, 1],
        }
        failures = client.get(f"/api/batches/{batch['batch_id']}/failures").json()
        assert failures == {
            "groups": [{"reason": "exit_code", "sentence": "no such table: 0", "run_ids": ids[1:]}]
        }
        for part in ("squares", "failures"):
            assert_problem(client.get(f"/api/batches/{ids[0]}/{part}"), 404)
