"""What comes in over REST, strictly checked. Each model says what a field means and what is allowed."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from runyard.server import examples
from runyard.server.fields import (
    MAX_BATCH,
    MAX_PROCESS_BYTES,
    NO_NUL,
    Arguments,
    Code,
    Command,
    Cpus,
    Duration,
    Environment,
    Factor,
    GpuMemory,
    Gpus,
    Labels,
    Limit,
    Memory,
    OnStall,
    PathText,
    Patience,
    Preload,
    Priority,
    Retries,
    Text,
    Webhook,
    WhenFull,
    is_longer,
    plain_text,
)
from runyard.server.strict import Strict
from runyard.server.terms import TermsIn


class RequestIn(Strict):
    """The resources and limits a run declares; what is left out comes from its module, then the defaults."""

    num_cpus: Cpus | None = Field(None, description='CPUs, fractions allowed, or "auto"')
    num_gpus: Gpus | None = Field(None, description="GPUs: a fraction of one, or whole ones")
    memory: Memory | None = Field(
        None,
        description='for the whole process tree: bytes, a text as "4GiB", "auto", or "learn" from past peaks',
    )
    gpu_memory: GpuMemory | None = Field(
        None, description='GPU memory, from one GPU; "learn" takes it from past peaks'
    )
    node: Text | None = Field(
        None,
        description="the only node it may start on, by its name, or a selector of those that it may start on, "
        "as zone=a,gpu=*H100*; any if left out",
    )
    timeout: Duration | None = Field(None, description='seconds or a text as "30m"')
    stall_after: Patience | None = Field(
        None, description="told as stalled after that time without output, CPU and GPU use; 0: never"
    )
    on_stall: OnStall | None = Field(None, description='"stop" ends a run that is stalled')
    priority: Priority | None = Field(None, description="higher starts first; 0 is usual")
    max_retries: Retries | None = Field(None, description="further attempts after a failed one")
    retry_on_out_of_memory: Factor | None = Field(
        None, description="had it too little memory, it is queued again with that many times as much"
    )
    max_concurrent: Limit | None = Field(None, description="at most this many runs of the module at once")


def _run_schema(schema: dict[str, Any]) -> None:
    """Say what validators hold: batch files' word `module` is taken for `module_id`, and something must run."""
    schema["properties"]["module"] = {"type": "string", "description": "the same as `module_id`"}
    schema["anyOf"] = [{"required": [name]} for name in ("module_id", "module", "script", "command")]


class RunIn(RequestIn, TermsIn):
    """One run to submit: a module by id, a script, or a command."""

    model_config = ConfigDict(json_schema_extra=_run_schema)

    module_id: Text | None = Field(None, description="a module of the registry, or the id for an ad-hoc run")
    script: PathText | None = Field(None, description="a Python script; runs with `python`")
    command: Annotated[Arguments, Field(min_length=1)] | None = Field(
        None, description="a program and its arguments; no shell is involved"
    )
    args: Arguments = Field(default_factory=list, description="what follows the script or command")
    name: Text | None = Field(None, description="what people see; the module's own name if left out")
    python: PathText | None = Field(None, description="the interpreter; the server's own if left out")
    cwd: PathText | None = Field(None, description="the folder to run in")
    env: Environment = Field(
        default_factory=dict, description="added to the environment; never given out again"
    )
    labels: Labels = Field(default_factory=dict, description="words to find the run by")
    warm: bool = False
    preload: Preload = Field(default_factory=list)
    code: Code | None = Field(
        None, description='"ship": it runs in a copy of its folder as that is now; "shared": as that is then'
    )

    @model_validator(mode="before")
    @classmethod
    def _module_is_module_id(cls, data: Any) -> Any:
        """`module` is the word of batch files for `module_id`; both are taken."""
        if isinstance(data, dict) and "module" in data:
            data = dict(data)
            module = data.pop("module")
            if data.setdefault("module_id", module) != module:
                raise ValueError("`module` and `module_id` name different modules; give one")
        return data

    @model_validator(mode="after")
    def _can_be_run(self) -> RunIn:
        if self.script is not None and self.command is not None:
            raise ValueError("give `script` or `command`, not both")
        if self.script is None and self.command is None and self.module_id is None:
            raise ValueError("give one of `module`, `script` and `command`")
        if self.command is not None and not self.command[0]:
            raise ValueError("`command` must begin with a program")
        if is_longer([*(self.command or ()), *self.args, *self.env, *self.env.values()], MAX_PROCESS_BYTES):
            raise ValueError(f"arguments and `env` together may have at most {MAX_PROCESS_BYTES} bytes")
        return self


def _submit_schema(schema: dict[str, Any]) -> None:
    _run_schema(schema)
    schema["examples"] = [examples.SCRIPT, examples.COMMAND, examples.MODULE]


class SubmitIn(RunIn):
    """One run submitted by itself."""

    model_config = ConfigDict(json_schema_extra=_submit_schema)

    when_full: WhenFull | None = Field(None, description='"reject" answers 429 when no slot is free')


class BatchOptions(Strict):
    """What is said of a batch as a whole."""

    name: Text | None = Field(None, description="what people see")
    max_concurrent: Limit | None = Field(None, description="at most this many of its runs at once")
    max_failures: Limit | None = Field(None, description="after this many failed runs the rest is cancelled")
    when_full: WhenFull | None = Field(None, description='"reject" answers 429 when too few slots are free')
    after_batch: Text | None = Field(
        None,
        description="the id or name of a batch with as many runs: each run starts after the one with its index there; "
        "of an open batch: all start when it is closed and all of it completed",
    )
    on_end: Command = Field(default_factory=list, description="a command to run when it has ended")
    webhook: Webhook | None = Field(None, description="an address to call when it has ended")
    open: bool = Field(False, description="further runs may be added to it, until it is closed")


class BatchEnvelope(BatchOptions):
    """A batch whose runs were not looked at yet."""

    runs: list[Any] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_runs(self) -> BatchEnvelope:
        if not self.runs and not self.open:
            raise ValueError("give at least one run in `runs`; only an open batch may begin without any")
        return self


class BatchIn(BatchOptions):
    """Runs to accept together or not at all."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [examples.BATCH],
            "anyOf": [
                {"required": ["runs"], "properties": {"runs": {"minItems": 1}}},
                {"required": ["open"], "properties": {"open": {"const": True}}},
            ],
        }
    )

    runs: Annotated[list[RunIn], Field(max_length=MAX_BATCH)] = Field(default_factory=list)


class AdditionOptions(Strict):
    """What is said of runs that are added to an open batch, as a whole."""

    when_full: WhenFull | None = Field(None, description='"reject" answers 429 when too few slots are free')


class AdditionEnvelope(AdditionOptions):
    """Runs to add to an open batch, not looked at yet."""

    runs: Annotated[list[Any], Field(min_length=1)]


class AdditionIn(AdditionOptions):
    """Runs to add to an open batch together or not at all; indexes in `after` count within them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"runs": [examples.COMMAND]}]})

    runs: Annotated[list[RunIn], Field(min_length=1, max_length=MAX_BATCH)]


class CancelIn(Strict):
    """Why something is cancelled; optional."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CANCEL]})

    reason: Annotated[str, Field(max_length=1_000), AfterValidator(plain_text), NO_NUL] | None = None


class RunEditIn(Strict):
    """What changes of a run that has not ended."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"priority": 10}]})

    priority: Priority = Field(description="higher starts first; 0 is usual")


class BatchEditIn(Strict):
    """What changes of a batch; what is left out stays."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"max_concurrent": 8}],
            "anyOf": [{"required": ["max_concurrent"]}, {"required": ["priority"]}],
        }
    )

    max_concurrent: Limit | None = Field(
        None, description="at most so many of its runs at once; null: any number"
    )
    priority: Priority | None = Field(None, description="of all its runs that have not started")

    @model_validator(mode="after")
    def _changes_something(self) -> BatchEditIn:
        if not self.model_fields_set:
            raise ValueError("give `max_concurrent`, `priority` or both")
        return self


class RestartIn(RequestIn):
    """What the new run does differently; everything left out is as it was."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.RESTART]})

    args: Arguments | None = Field(None, description="in place of all arguments of the run before")
    env: Environment | None = Field(None, description="added to the environment of the run before")
    name: Text | None = None
    labels: Labels | None = Field(None, description="in place of all labels of the run before")


class ModuleIn(RequestIn):
    """A module of the registry: what to run, and what its runs request.

    Paths are absolute, or relative to the folder of the server's runyard.toml.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [examples.REGISTRY],
            "oneOf": [{"required": ["script"]}, {"required": ["command"]}],
        }
    )

    name: Text | None = Field(None, description="what people see; the id if left out")
    script: PathText | None = Field(None, description="a Python script; this or `command`")
    command: Annotated[Arguments, Field(min_length=1)] | None = Field(
        None, description="a program and its first arguments; this or `script`"
    )
    python: PathText | None = None
    cwd: PathText | None = None
    env: Environment = Field(default_factory=dict, description="for all its runs; never given out again")
    labels: Labels = Field(default_factory=dict)
    warm: bool = False
    preload: Preload = Field(default_factory=list)
    code: Code | None = Field(
        None, description='"ship": it runs in a copy of its folder as that is now; "shared": as that is then'
    )

    @model_validator(mode="after")
    def _is_one_thing(self) -> ModuleIn:
        if (self.script is None) == (self.command is None):
            raise ValueError("give either `script` or `command`")
        if self.command is not None and not self.command[0]:
            raise ValueError("`command` must begin with a program")
        return self
