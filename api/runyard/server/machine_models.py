"""What goes out over REST of the machine: nodes, semaphore, statistics, and short answers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from runyard_actors.run import Status


class Amounts(BaseModel):
    """CPUs and bytes of memory."""

    num_cpus: float
    memory: int


class NodeCapacity(Amounts):
    """All that a node has for runs."""

    num_gpus: int


class NodeUse(BaseModel):
    """What is measured on a node, by whomever it is used."""

    cpu_busy_percent: float
    memory_free: int


class NodeGpu(BaseModel):
    """One GPU of a node: its size, what runs declared of it, and what is measured free."""

    index: int
    uuid: str
    name: str
    memory_bytes: int
    declared_milli: int = Field(description="thousandths of it that runs declared")
    declared_memory_bytes: int
    free_bytes: int | None = Field(description="measured; null where it cannot be")
    busy_percent: float | None = Field(None, description="measured; null where it cannot be")
    lost: str | None = Field(None, description="why it does no work any more, in words; null while it does")


class Node(BaseModel):
    """One machine of the cluster."""

    node: str
    capacity: NodeCapacity
    declared: Amounts
    free: Amounts
    use: NodeUse
    gpus: list[NodeGpu]
    labels: dict[str, str] = Field(default_factory=dict, description="what runs can select it by, as `node`")
    guard: str | None = Field(description="why no run starts here just now; null when runs may")
    warnings: list[str] = Field(default_factory=list, description="what somebody should look after here")


class Semaphore(BaseModel):
    """The slots, and the queue for them."""

    max_concurrent_runs: int
    active: int
    free: int
    queued: int
    is_paused: bool
    paused_while: str | None = Field(description="what `pause_when` holds new starts for, beside that")


class Resources(BaseModel):
    """All nodes and the semaphore as they are now."""

    nodes: list[Node]
    semaphore: Semaphore
    storage_fault: str | None = Field(description="why the database cannot be written, if so")


class GpuHistory(BaseModel):
    """One GPU's memory over time, in bytes; null where it was not measured."""

    index: int
    name: str
    memory: int = Field(description="all there is")
    declared_memory: list[int | None] = Field(description="what active runs declared")
    runs_memory: list[int | None] = Field(description="what active runs used")
    used_memory: list[int | None] = Field(description="what all programs used")


class NodeHistoryOut(BaseModel):
    """One node over time: what active runs declared and used, and what all programs used; null: not measured."""

    node: str
    num_cpus: float = Field(description="all there are")
    memory: int = Field(description="bytes, all there are")
    declared_cpus: list[float | None]
    runs_cpus: list[float | None]
    used_cpus: list[float | None]
    declared_memory: list[int | None]
    runs_memory: list[int | None]
    used_memory: list[int | None]
    gpus: list[GpuHistory]


class ResourcesHistory(BaseModel):
    """The nodes over the last hour, as columns of equal length, the oldest look first."""

    interval_seconds: int
    at: list[float] = Field(description="seconds since the epoch")
    nodes: list[NodeHistoryOut]


class Ended(BaseModel):
    """Runs that ended lately."""

    last_minute: int
    last_hour: int
    last_day: int


class Spread(BaseModel):
    """How values are spread; null without any."""

    mean: float | None
    p50: float | None
    p95: float | None
    max: float | None


class Stats(BaseModel):
    """Counts of all runs, throughput, and how long the newest thousand waited."""

    counts: dict[Status, int]
    total: int
    modules: dict[str, dict[Status, int]]
    ended: Ended
    queued_seconds: Spread


class Admission(BaseModel):
    """Whether runs are held back."""

    is_paused: bool


class Drained(BaseModel):
    """Whether runs may start on a node."""

    node: str
    is_drained: bool


class LoginLink(BaseModel):
    """A path, with a secret that logs a browser in once."""

    path: str


class Leaving(BaseModel):
    """The server stops."""

    is_leaving: Literal[True] = True


class Health(BaseModel):
    """The server lives."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """The server, its manager, Ray and the database do their work."""

    status: Literal["ready"] = "ready"
    is_embedded: bool


class RunUse(BaseModel):
    """What one active run uses; the CPU in percent of one core, sizes in bytes."""

    run_id: str
    cpu_percent: float
    memory: int
    gpu_memory: int | None = Field(None, description="on all GPUs; null where the driver does not tell")
    gpu_percent: float | None = Field(None, description="of one GPU's time; null where nobody tells")
    last_line: str | None = Field(
        None,
        description="what it printed last, at most 200 characters, without colours and control characters",
    )


class Usage(BaseModel):
    """What all active runs use."""

    runs: list[RunUse]
