"""Changes: what the writer can record, one value per verb. Times are microseconds since the epoch, UTC.

Every change but `RunsSubmitted` may be repeated: what is recorded already is left as it is, so a write whose
answer was lost can be sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from runyard_actors.request import Request
from runyard_actors.run import BatchId, BatchSpec, Outcome, Reason, RunId, RunSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """The caller's key for a submission, and a digest of its body to tell a repeat from a mistake."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsSubmitted:
    """Runs were accepted; they queue in this order. A batch that exists already gets them added.

    A run id or an idempotency key that exists already refuses the whole call with a ConflictError.
    """

    specs: Sequence[RunSpec]
    created_at: int
    batch: BatchSpec | None = None
    idempotency: Idempotency | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarting:
    """An attempt was given to a node and may exist from now on; the run shows as queued until it started.

    `origin` is where it comes from, as JSON, if that was known already.
    """

    run_id: RunId
    attempt: int
    nonce: str
    node: str
    boot_id: str
    at: int
    gpu_indexes: tuple[int, ...] = ()
    origin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginFound:
    """Where an attempt came from was found after it was about to start; `origin` is JSON."""

    run_id: RunId
    attempt: int
    origin: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted:
    """An attempt's process runs; `at` is when it started. `enforcement` says how each limit is held."""

    run_id: RunId
    attempt: int
    pid: int
    at: int
    enforcement: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    """An attempt ended. With `will_retry` its run queues again, else the run ended with this outcome.

    `request`: what a run that queues again asks for from now on, with more memory than before; None for the same.
    `not_before`: the moment that it waits for then, if it does.
    `started`: that its process ran, unless that was recorded before: most short runs go from queued to ended at once.
    """

    run_id: RunId
    attempt: int
    outcome: Outcome
    started: AttemptStarted | None = None
    will_retry: bool = False
    request: Request | None = None
    not_before: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartWithdrawn:
    """An attempt that was about to start never will; its number is free again and its run queues."""

    run_id: RunId
    attempt: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDropped:
    """A queued run ended without ever starting."""

    run_id: RunId
    reason: Reason
    detail: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """An active run is to be stopped; recorded first, so that a crash in between does not forget it."""

    run_id: RunId
    at: int
    reason: Reason = Reason.CANCELLED_BY_USER
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressReported:
    """A running run told how far it is; what is None stays as it was. `at` is the writer's now if None."""

    run_id: RunId
    progress: float | None = None
    message: str | None = None
    at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWarned:
    """Something is wrong with a running run, in words for a person; the newest words stand until it starts again."""

    run_id: RunId
    words: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStalled:
    """A running run shows no sign of life since then; None: it does again."""

    run_id: RunId
    since: int | None
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EnforcementFound:
    """It turned out while a run runs how one of its limits is held."""

    run_id: RunId
    enforcement: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSuspended:
    """A running run is held still since `at`; its status stays."""

    run_id: RunId
    attempt: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResumed:
    """A run that was held still goes on."""

    run_id: RunId
    attempt: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeld:
    """A queued run waits until somebody releases it; `is_held` False: it was released."""

    run_id: RunId
    is_held: bool
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEdited:
    """A run that has not ended has another priority."""

    run_id: RunId
    priority: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEdited:
    """At most so many runs of a batch are active at once from now on; None: any number."""

    batch_id: BatchId
    max_concurrent: int | None
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchClosed:
    """An open batch takes no more runs, for ever."""

    batch_id: BatchId
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeFailed:
    """Somebody could not be told of the end of a run, or without one of a batch; `words` for a person say why."""

    run_id: RunId | None
    batch_id: BatchId | None
    words: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCancelled:
    """A batch was cancelled as a whole; its runs' own ends are recorded one by one."""

    batch_id: BatchId
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModulePut:
    """A module of the registry was set; `definition` is JSON and replaces what was there."""

    module_id: str
    definition: Mapping[str, Any]
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleDeleted:
    """A module was taken out of the registry; its runs stay."""

    module_id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """Ended runs to forget, with their attempts; also events, keys and empty batches from before `before`.

    Runs that have not ended are left as they are.
    """

    run_ids: Sequence[RunId]
    before: int


Change: TypeAlias = (
    RunsSubmitted
    | AttemptStarting
    | OriginFound
    | AttemptStarted
    | AttemptEnded
    | StartWithdrawn
    | RunDropped
    | CancelRequested
    | ProgressReported
    | RunWarned
    | RunStalled
    | EnforcementFound
    | RunSuspended
    | RunResumed
    | RunHeld
    | RunEdited
    | BatchEdited
    | BatchClosed
    | NoticeFailed
    | BatchCancelled
    | ModulePut
    | ModuleDeleted
    | Pruned
)
