"""What is read from the store as values: the state a manager starts from, and what history is asked by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runyard_actors.request import Request
from runyard_actors.run import BatchId, BatchSpec, Placement, Reason, RunId, Status, all_before
from runyard_actors.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run that has not ended, with what scheduling needs; `attempts_used` counts those that ended."""

    run_id: RunId
    module_id: str
    request: Request
    batch_id: BatchId | None = None
    priority: int = 0
    after: tuple[RunId, ...] = ()
    attempts_used: int = 0
    max_concurrent: int | None = None
    terms: Terms | None = None
    created_at: int = 0

    @property
    def comes_after(self) -> tuple[RunId, ...]:
        """All runs that it waits for, whatever for."""
        return all_before(self.after, self.terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveAttempt:
    """An attempt without a recorded end, to be adopted. Cancel fields are set once a cancel was asked."""

    run: StoredRun
    attempt: int
    nonce: str
    placement: Placement
    boot_id: str
    claimed_at: int
    started_at: int | None = None
    pid: int | None = None
    cancel_reason: Reason | None = None
    cancel_detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredState:
    """Everything a manager needs at its start, in submit order.

    `queued` holds no active run. `ended` says of each ended run, or batch, that a queued one comes after whether it
    succeeded; `awaited` are the batches that a queued one comes after and that have not ended. `failures` counts failed
    runs of the batches. `next_indexes` says of each open batch which index a run has that is added to it.
    """

    queued: Sequence[StoredRun] = ()
    active: Sequence[ActiveAttempt] = ()
    batches: Mapping[BatchId, BatchSpec] = field(default_factory=dict)
    failures: Mapping[BatchId, int] = field(default_factory=dict)
    module_limits: Mapping[str, int] = field(default_factory=dict)
    ended: Mapping[RunId, bool] = field(default_factory=dict)
    awaited: Sequence[BatchId] = ()
    next_indexes: Mapping[BatchId, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """Whether a batch has ended: closed, and all its runs ended; and whether each of its indexes completed at last."""

    is_ended: bool
    has_succeeded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBatch:
    """A batch with the newest run of each of its indexes, in their order."""

    batch_id: BatchId
    is_open: bool
    runs: Sequence[RunId]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotentAnswer:
    """What an idempotency key stands for."""

    digest: str
    run_ids: tuple[str, ...]
    batch_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """What a page of history is asked by; None and empty mean: any.

    `label` is "key" or "key=value". `text` is looked for, in any case, in module id and name, message and
    the start of the run id. `since` (inclusive) and `until` (exclusive) are microseconds of the submission.
    `shortest` and `longest` are microseconds from start to end, both included; a run that has not both has no duration.
    `exit_codes`: ended with one of them; a run that was ended by a signal, or never started, has none.
    `sort` is one of `SORTS`, with a "-" in front for descending.
    """

    statuses: Sequence[Status] = ()
    run_ids: Sequence[str] = ()
    module_id: str | None = None
    batch_id: str | None = None
    label: str | None = None
    text: str | None = None
    since: int | None = None
    until: int | None = None
    shortest: int | None = None
    longest: int | None = None
    exit_codes: Sequence[int] = ()
    sort: str = "-created_at"


#: What history can be sorted by.
SORTS = ("created_at", "started_at", "ended_at", "duration")
