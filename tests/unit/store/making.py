"""Runs and changes for tests of the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runyard_actors.ids import new_ids
from runyard_actors.run import BatchId, BatchSpec, Outcome, Reason, RunId, RunSpec
from runyard_actors.store.changes import (
    AttemptEnded,
    AttemptStarted,
    AttemptStarting,
    Change,
    RunsSubmitted,
)

#: A moment in 2026, microseconds since the epoch.
AT = 1_780_000_000_000_000
SECOND = 1_000_000


def specs(count: int, **fields: Any) -> list[RunSpec]:
    """Return new runs of one module."""
    given: dict[str, Any] = {"module_id": "train", "module_name": "Train", "cwd": "/srv"} | fields
    given.setdefault("command", ("python", "train.py"))
    return [RunSpec(run_id=RunId(run_id), **given) for run_id in new_ids(count)]


def submitted(runs: Sequence[RunSpec], at: int = AT, **batch: Any) -> RunsSubmitted:
    """Return the change that submits them; `batch` fields make their batch."""
    of_batch = runs[0].batch_id
    batch_spec = BatchSpec(batch_id=BatchId(of_batch), **batch) if of_batch else None
    return RunsSubmitted(specs=runs, created_at=at, batch=batch_spec)


def starting(run: RunSpec, attempt: int = 1, at: int = AT + SECOND, nonce: str = "n1") -> AttemptStarting:
    """Return the change that gives an attempt to a node."""
    return AttemptStarting(
        run_id=run.run_id, attempt=attempt, nonce=nonce, node="ws1", boot_id="b1", gpu_indexes=(0,), at=at
    )


def started(run: RunSpec, attempt: int = 1, at: int = AT + 2 * SECOND) -> AttemptStarted:
    """Return the change that says its process runs."""
    return AttemptStarted(run_id=run.run_id, attempt=attempt, pid=4242, at=at, enforcement={"memory": "poll"})


def ended(
    run: RunSpec, attempt: int = 1, code: int = 0, at: int = AT + 5 * SECOND, will_retry: bool = False
) -> AttemptEnded:
    """Return the change that says it exited."""
    reason = Reason.EXIT_CODE if code else None
    outcome = Outcome(ended_at=at, exit_code=code, reason=reason, cpu_seconds=1.5, log_bytes=10)
    return AttemptEnded(run_id=run.run_id, attempt=attempt, outcome=outcome, will_retry=will_retry)


def life(run: RunSpec, code: int = 0, at: int = AT) -> list[Change]:
    """Return a started run's whole life after its submission."""
    return [
        starting(run, at=at + SECOND),
        started(run, at=at + 2 * SECOND),
        ended(run, code=code, at=at + 5 * SECOND),
    ]
