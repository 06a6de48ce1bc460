"""What goes out over REST: a run, a batch, pages of them, and the module registry."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from runyard_actors.run import Reason, Status


class Terms(BaseModel):
    """When a run may start, beyond what comes after what, and when it is tried again."""

    after_any: list[str] = Field(description="runs that must have ended first")
    after_failed: list[str] = Field(description="runs of which one must not complete")
    delay_until: str | None = Field(description="it does not start before")
    held: bool = Field(description="it does not start until it is released")
    queue_timeout_seconds: float = Field(description="it fails if it has not started by then; 0: never")
    retry_delay_seconds: float
    retry_backoff: float = Field(description="each further pause is that many times as long")
    retry_delay_max_seconds: float
    retry_exit_codes: list[int] | None = Field(description="only these are retried; null: all")


class Origin(BaseModel):
    """Where an attempt came from; null is what is not known, or not there."""

    python: str | None = Field(description="the interpreter")
    python_version: str | None
    packages: str | None = Field(description="a digest over names and versions of all installed packages")
    commit: str | None = Field(description="of git, in the folder of the code")
    dirty: bool | None = Field(description="tracked files differ from the commit")


class Tell(BaseModel):
    """Somebody who is told of an end. Arguments, and what an address has behind its host, are never given out."""

    kind: Literal["command", "webhook", "desktop"]
    name: str = Field(description="the program, the address up to its host, or that it is the desktop")


class Run(BaseModel):
    """One execution of a module or command. Sizes in bytes, times in seconds, dates in RFC 3339 UTC."""

    run_id: str
    module_id: str
    module_name: str
    batch_id: str | None
    batch_index: int | None
    status: Status
    reason: Reason | None = Field(description="null while nothing went wrong")
    reason_detail: str | None
    waiting_for: str | None = Field(None, description="what a queued run waits for, in words")
    expected_start: str | None = Field(None, description="when a queued run may start, if that can be told")
    expected_seconds: float | None = Field(
        None,
        description="how long a queued run with an expected start may take, as past runs of its module did",
    )
    command: list[str]
    args_from: int = Field(
        1, description="`command[args_from:]` is what a restart with other `args` replaces"
    )
    cwd: str
    code: Literal["shared", "ship"] = Field("shared", description='"ship": it runs in a copy of its folder')
    code_digest: str | None = Field(None, description="of the snapshot that the copy is made of")
    env_keys: list[str] = Field(description="names only; values are never given out")
    num_cpus: float
    num_gpus: float
    memory: int
    gpu_memory: int
    timeout_seconds: float
    stall_after_seconds: float = Field(
        0, description="without a sign of life it counts as stalled then; 0: never"
    )
    on_stall: Literal["tell", "stop"] = Field("tell", description="what is done when it is stalled")
    priority: int
    labels: dict[str, str]
    attempt: int
    max_retries: int
    retry_on_out_of_memory: float | None = Field(
        None, description="times as much memory it is queued again with when it had too little"
    )
    memory_retries: int = Field(0, description="how often that happened so far; at most 3 times")
    node: str | None
    wanted_node: str | None = Field(None, description="the only node it may start on; null: any")
    pid: int | None
    gpu_ids: list[int | str]
    created_at: str
    started_at: str | None
    ended_at: str | None
    queued_seconds: float | None
    duration_seconds: float | None
    exit_code: int | None
    signal: int | None
    ended_by: str | None = None
    peak_memory: int | None
    peak_gpu_memory: int | None
    cpu_seconds: float | None
    log_bytes: int | None
    progress: float | None = Field(description="0..1, as the module reports it")
    message: str | None
    warning: str | None = Field(None, description="what was last found wrong with its attempt, in words")
    stalled_since: str | None = Field(None, description="since when a running run shows no sign of life")
    result: Any = Field(None, description="small JSON that the module wrote")
    restarted_from: str | None
    notice: str | None = Field(None, description="why somebody could not be told of its end, in words")
    tells: list[Tell] | None = Field(
        None,
        description="who is told of its end, as settings and module have it now; told where one run is shown",
    )
    request_note: str | None = Field(None, description="where a learned request came from, in words")
    enforcement: dict[str, str] | None
    suspended: bool = Field(False, description="held still for now; it keeps its slot and its resources")
    origin: Origin | None = Field(
        None, description="where its newest attempt came from; told where one run is shown"
    )
    code_changed: list[str] | None = Field(
        None, description="of a restarted run: what changed since the one before; told where one run is shown"
    )
    terms: Terms | None = Field(None, description="null for a run that has none, as most")
    ray_log_url: str | None = Field(None, description="the log in the Ray dashboard, where there is one")


class Attempt(BaseModel):
    """One start of a run's process."""

    run_id: str
    attempt: int
    node: str
    pid: int | None
    gpu_ids: list[int | str]
    claimed_at: str
    started_at: str | None
    ended_at: str | None
    duration_seconds: float | None
    exit_code: int | None
    signal: int | None
    reason: Reason | None
    reason_detail: str | None
    ended_by: str | None
    peak_memory: int | None
    peak_gpu_memory: int | None = None
    cpu_seconds: float | None
    log_bytes: int | None
    origin: Origin | None = None


class RunPage(BaseModel):
    """One page of runs; `total` counts all that the filter finds."""

    runs: list[Run]
    total: int
    limit: int
    offset: int


class Batch(BaseModel):
    """Runs submitted together, counted by status."""

    batch_id: str
    name: str | None
    max_concurrent: int | None
    max_failures: int | None
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    cancelled_at: str | None = None
    open: bool = Field(False, description="further runs may be added; it has not ended before it is closed")
    closed_at: str | None = Field(None, description="when an open batch was closed")
    notice: str | None = Field(None, description="why somebody could not be told of its end, in words")
    tells: list[Tell] | None = Field(
        None,
        description="who is told of its end, as it, settings and modules have it now; told where one batch is shown",
    )
    counts: dict[Status, int]
    total: int
    progress: float
    eta_seconds: float | None


class BatchSquares(BaseModel):
    """All runs of a batch in submit order, as columns of equal length."""

    run_ids: list[str]
    statuses: list[Status]
    names: list[str] = Field(description="the names of its modules, each once")
    name_of: list[int] = Field(description="each run's place in `names`")


class FailureGroup(BaseModel):
    """Failed runs of a batch that ended in the same way."""

    reason: Reason | None
    sentence: str = Field(description="the last line of the first one's log, or else its reason in words")
    run_ids: list[str]


class BatchFailures(BaseModel):
    """Failed runs of a batch in groups, the largest first."""

    groups: list[FailureGroup]


class AcceptedRun(BaseModel):
    """A run of a batch just accepted."""

    run_id: str
    batch_index: int | None = None
    status: Status


class BatchAccepted(Batch):
    """A batch just accepted, durably, with its runs in order."""

    runs: list[AcceptedRun]


class BatchPage(BaseModel):
    """One page of batches, newest first."""

    batches: list[Batch]
    total: int
    limit: int
    offset: int


class Advice(BaseModel):
    """What a module could ask for instead, and the figures that say why."""

    kind: Literal["more_memory", "less_memory", "less_gpu_memory", "more_cpus", "fewer_cpus"]
    sentence: str
    suggested: dict[str, int | float] = Field(description="by the names of a request; sizes in bytes")


class ModuleAdvice(Advice):
    """The most urgent advice for one module."""

    module_id: str


class BatchAdvice(BaseModel):
    """Advice for the modules of a batch, one for a module at most."""

    advice: list[ModuleAdvice]


class Module(BaseModel):
    """A module of the registry. What is null comes from the defaults of the settings."""

    module_id: str
    is_of_file: bool = Field(description="set in runyard.toml, so it cannot be changed here")
    name: str | None
    script: str | None
    command: list[str] | None
    python: str | None
    cwd: str | None
    num_cpus: float | Literal["auto"] | None
    num_gpus: float | None
    memory: int | Literal["auto", "learn"] | None
    gpu_memory: int | Literal["learn"] | None
    node: str | None = Field(None, description="the only node its runs may start on; null: any")
    timeout: float | None = Field(description="seconds")
    stall_after: float | None = Field(None, description="seconds")
    on_stall: Literal["tell", "stop"] | None = None
    priority: int | None
    labels: dict[str, str]
    max_concurrent: int | None
    max_retries: int | None
    retry_on_out_of_memory: float | None = None
    warm: bool
    preload: list[str]
    code: Literal["shared", "ship"] | None = None
    env_keys: list[str] = Field(description="names only; values are never given out")
    advice: list[Advice] = Field(description="from its newest runs; none before there are five")


class Modules(BaseModel):
    """The module registry, sorted by id."""

    modules: list[Module]
