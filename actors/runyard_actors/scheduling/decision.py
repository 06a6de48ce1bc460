"""What goes into the core and what comes out of it, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from runyard_actors.request import Request
from runyard_actors.run import BatchId, Placement, Reason, RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """What else a run waits for, beside those that must complete first. Moments are microseconds since the epoch.

    `after_any` must end, and of `after_failed` one must not complete. At `deadline`, `timeout_seconds` after it was
    submitted, a run that has not started is dropped.
    """

    after_any: tuple[RunId, ...] = ()
    after_failed: tuple[RunId, ...] = ()
    not_before: int | None = None
    is_held: bool = False
    deadline: int | None = None
    timeout_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class QueuedRun:
    """What scheduling needs to know of a run. Requests are shared between runs that ask for the same."""

    run_id: RunId
    request: Request
    module_id: str
    batch_id: BatchId | None = None
    priority: int = 0
    after: tuple[RunId, ...] = ()
    gates: Gates | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Start a run: it holds its slot and its resources from now on."""

    run_id: RunId
    batch_id: BatchId | None
    placement: Placement


@dataclass(frozen=True, slots=True)
class Drop:
    """End a run that never started and never will."""

    run_id: RunId
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class HeadOfQueue:
    """The first blocked run. `room` is kept for it on that node and those GPUs, once others could take it."""

    run_id: RunId
    room: Placement | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many runs are active, may start, or wait for others, for a moment or for a person."""

    active: int
    queued: int
    waiting_for_dependencies: int
