"""A run: what was asked, where it stands, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, Literal, NewType

from runyard_actors.request import Request
from runyard_actors.shipment import Shipment
from runyard_actors.terms import Terms

RunId = NewType("RunId", str)
BatchId = NewType("BatchId", str)
#: An attempt: its run's id and its number.
AttemptKey = tuple[str, int]


class Status(StrEnum):
    """Where a run stands; exactly five."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_ended(self) -> bool:
        """Whether nothing more will happen to the run."""
        return self not in (Status.QUEUED, Status.RUNNING)


class Reason(StrEnum):
    """What went wrong; None on a run stands for nothing."""

    EXIT_CODE = "exit_code"
    SIGNAL = "signal"
    TIMEOUT = "timeout"
    MEMORY_LIMIT = "memory_limit"
    GPU_MEMORY_LIMIT = "gpu_memory_limit"
    OUTPUT_LIMIT = "output_limit"
    OUT_OF_MEMORY = "out_of_memory"
    START_ERROR = "start_error"
    NODE_LOST = "node_lost"
    SUPERVISOR_LOST = "supervisor_lost"
    DEPENDENCY_FAILED = "dependency_failed"
    CANCELLED_BY_USER = "cancelled_by_user"
    BATCH_CANCELLED = "batch_cancelled"
    QUEUE_TIMEOUT = "queue_timeout"
    STALLED = "stalled"


#: A run that ended for one of these never had its own verdict, so it counts as cancelled and not as failed.
CANCELLING = frozenset({Reason.CANCELLED_BY_USER, Reason.BATCH_CANCELLED, Reason.DEPENDENCY_FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended: exit code, signal, and who ended it are three separate facts.

    `ended_by` is one of: self, user, timeout, memory, gpu_memory, output, processes, stalled, kernel, external, node,
    supervisor.
    `is_of_gpu`: the memory that ran out, if any did, was a GPU's.
    Times are microseconds since the epoch, UTC.
    """

    ended_at: int
    exit_code: int | None = None
    signal: int | None = None
    reason: Reason | None = None
    reason_detail: str | None = None
    is_of_gpu: bool = False
    ended_by: str = "self"
    started_at: int | None = None
    cpu_seconds: float | None = None
    peak_memory: int | None = None
    peak_gpu_memory: int | None = None
    log_bytes: int | None = None
    progress: float | None = None
    message: str | None = None
    result: object = None

    @property
    def status(self) -> Status:
        """The run's status if this attempt was its last."""
        if self.reason is None:
            return Status.COMPLETED
        return Status.CANCELLED if self.reason in CANCELLING else Status.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """One run as submitted, everything resolved. Times in seconds; 0 means no limit.

    After `stall_after_seconds` without output, CPU and GPU use it counts as stalled, and `on_stall` says what is done.

    `command[args_from:]` are the arguments that a restart may replace. With `retry_on_out_of_memory`, a run that had
    too little memory is queued again with that many times as much in its `request`, `memory_retries` times so far.
    With `preload`, also an empty one, it starts as a copy of an interpreter that has imported these modules already.
    With `code`, it starts in a copy of that snapshot of its folder.
    `request_note` says in words where a request came from that was not asked for in numbers. `terms` are None for a run
    that has nothing to say of when it starts but `after`.
    """

    run_id: RunId
    module_id: str
    module_name: str
    command: tuple[str, ...]
    args_from: int = 1
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    request: Request = field(default_factory=Request)
    timeout_seconds: float = 0.0
    stall_after_seconds: float = 0.0
    on_stall: Literal["tell", "stop"] = "tell"
    priority: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    max_retries: int = 0
    retry_on_out_of_memory: float | None = None
    memory_retries: int = 0
    max_concurrent: int | None = None
    after: tuple[RunId, ...] = ()
    batch_id: BatchId | None = None
    batch_index: int | None = None
    restarted_from: RunId | None = None
    request_note: str | None = None
    preload: tuple[str, ...] | None = None
    code: Shipment | None = None
    terms: Terms | None = None

    @property
    def comes_after(self) -> tuple[RunId, ...]:
        """All runs that it waits for, whatever for."""
        return all_before(self.after, self.terms)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as a row of values: what a dataclass with slots does by itself takes ten times as long."""
        return _spec, _values(self)


_NAMES = tuple(each.name for each in fields(RunSpec))
_values = attrgetter(*_NAMES)


def _spec(*values: Any) -> RunSpec:
    return RunSpec(**dict(zip(_NAMES, values, strict=True)))


def all_before(after: tuple[RunId, ...], terms: Terms | None) -> tuple[RunId, ...]:
    """Return all runs that one waits for, whatever for."""
    if terms is None:
        return after
    return (*after, *(RunId(each) for each in (*terms.after_any, *terms.after_failed)))


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSpec:
    """Runs submitted together. `max_failures`: after that many failed runs the rest is cancelled.

    `telling` is whom to tell of its end, as JSON: `on_end`, a command, and `webhook`, an address.
    One that `is_open` takes further runs until it is closed, and has not ended before, though all its runs have.
    """

    batch_id: BatchId
    name: str | None = None
    max_concurrent: int | None = None
    max_failures: int | None = None
    is_open: bool = False
    telling: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where an attempt runs. `gpu_indexes` are the node's GPU numbers, one for a fraction."""

    node: str
    gpu_indexes: tuple[int, ...] = ()
