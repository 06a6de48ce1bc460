"""What travels to the RunManager and back: frozen values, never handles to live things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runyard_actors.run import BatchSpec, RunSpec
from runyard_actors.selector import Labels
from runyard_cluster.capacity import Use
from runyard_cluster.errors import RunyardError

WhenFull = Literal["queue", "reject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Runs to be accepted together or not at all.

    The ids are made by the caller, so that a repeated call is recognised. `digest` is that of the request body:
    the same `idempotency_key` with another digest is a conflict. With `is_addition` the batch is an open one that is
    there already, of which no more is said than its id.
    """

    runs: tuple[RunSpec, ...]
    batch: BatchSpec | None = None
    when_full: WhenFull | None = None
    idempotency_key: str | None = None
    digest: str | None = None
    is_addition: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The durable answer to a submission; `is_repeat` when it was known already, by its key or by its ids.

    `created_at` is when its runs were accepted, in microseconds; `waiting_for` is what its only run waits for, in
    words. Neither is told of a repeat, nor words of a batch. `first_index` is the index in its batch of the first run.
    """

    run_ids: tuple[str, ...]
    batch_id: str | None
    is_repeat: bool = False
    created_at: int = 0
    waiting_for: str | None = None
    first_index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEdit:
    """What changes of a batch. `max_concurrent` means something only with `has_limit`: None lifts the limit then."""

    has_limit: bool = False
    max_concurrent: int | None = None
    priority: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAnswer:
    """What became of each run named in a cancel: gone from the queue, being stopped, or ended before."""

    gone: tuple[str, ...] = ()
    stopping: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One node's numbers: capacity, what runs declared of it, and its live guard's words if it holds starts."""

    node: str
    cpu_milli: int
    memory_bytes: int
    declared_cpu_milli: int
    declared_memory_bytes: int
    gpus: tuple[GpuView, ...]
    guard: str | None
    labels: Labels = ()
    warnings: tuple[str, ...] = ()
    #: What all programs used of another node when it was asked last; None for the manager's own.
    use: Use | None = None
    #: What active runs used of it at the last look, in thousandths of a CPU and bytes; None where nobody looks.
    runs_cpu_milli: int | None = None
    runs_memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuView:
    """One GPU's numbers, as declared by runs; `memory_bytes` is its size.

    `free_bytes` and `busy_percent` are measured, None where they cannot be. `lost` says why it does no work any more.
    """

    index: int
    uuid: str
    name: str
    memory_bytes: int
    declared_milli: int
    declared_memory_bytes: int
    free_bytes: int | None = None
    busy_percent: float | None = None
    lost: str | None = None
    #: What active runs hold of it; None where the driver does not tell.
    runs_memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class YardView:
    """The whole yard at one moment: semaphore, queue, nodes. `paused_while` says what `pause_when` holds starts for."""

    max_concurrent_runs: int
    active: int
    queued: int
    is_paused: bool
    paused_while: str | None
    storage_fault: str | None
    nodes: tuple[NodeView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnd:
    """When the last of `runs` runs of a batch may have ended, in microseconds since the epoch."""

    at: int
    runs: int


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer that is an error. A value, because Ray wraps what an actor raises into types of its own."""

    error: RunyardError
