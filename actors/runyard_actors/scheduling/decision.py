"""What the core decides."""

from __future__ import annotations

from dataclasses import dataclass

from runyard_actors.request import Request
from runyard_actors.run import BatchId, Placement, Reason, RunId


@dataclass(frozen=True, slots=True)
class QueuedRun:
    """What scheduling needs to know of a run. Requests are shared between runs that ask for the same."""

    run_id: RunId
    request: Request
    module_id: str
    batch_id: BatchId | None = None
    priority: int = 0
    after: tuple[RunId, ...] = ()


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
