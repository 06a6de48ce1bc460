"""What is said of ends: words, variables, and the digest of a batch."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.server.notice.message import NAMED_FAILURES, of_batch, of_run, text, title, variables


def run(**changes: Any) -> dict[str, Any]:
    return {
        "run_id": "01R",
        "module_id": "train",
        "module_name": "Train",
        "batch_id": None,
        "status": "failed",
        "reason": "exit_code",
        "reason_detail": "exited with 3\0",
        "exit_code": 3,
        "attempt": 2,
        "duration_seconds": 90.0,
        **changes,
    }


def batch(completed: int, failed: int) -> dict[str, Any]:
    counts = {"queued": 0, "running": 0, "completed": completed, "failed": failed, "cancelled": 0}
    return {"batch_id": "01B", "name": "sweep", "counts": counts, "total": completed + failed}


def test_a_run_is_told_of_in_words_and_variables() -> None:
    said = of_run(run())
    assert title(said) == "Train failed"
    assert text(said).startswith("after 1 min 30 s: exited with 3") or "exited with 3" in text(said)
    given = variables(said)
    assert given["RUNYARD_EVENT"] == "run_ended"
    assert (given["RUNYARD_STATUS"], given["RUNYARD_EXIT_CODE"]) == ("failed", "3")
    assert "RUNYARD_BATCH_ID" not in given
    assert "\0" not in "".join(given.values()), "no variable of a process may hold one"
    never = of_run(run(status="cancelled", reason_detail=None, duration_seconds=None))
    assert text(never) == "never started"


@pytest.mark.parametrize(
    ("counts", "headline", "below"),
    [
        ((3, 0), "batch sweep completed", "3 completed"),
        ((98, 2), "batch sweep ended, 2 failed", "98 completed, 2 failed"),
        ((0, 0), "batch sweep completed", "it had no runs"),
    ],
)
def test_a_batch_is_told_of_by_its_counts(counts: tuple[int, int], headline: str, below: str) -> None:
    said = of_batch(batch(*counts), [])
    assert (title(said), text(said)) == (headline, below)
    assert variables(said)["RUNYARD_COUNT_FAILED"] == str(counts[1])


def test_what_was_cancelled_is_not_told_as_failed() -> None:
    ended = batch(2, 1)
    ended["counts"]["cancelled"] = 4
    assert title(of_batch(ended, [])) == "batch sweep ended, 1 failed, 4 cancelled"


def test_a_digest_names_the_first_failures_only() -> None:
    said = of_batch(batch(0, 100), [{"run_id": str(n)} for n in range(100)])
    assert len(said["failures"]) == NAMED_FAILURES
