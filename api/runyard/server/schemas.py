"""What comes in over REST, strictly checked. Each model says what a field means and what is allowed."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from runyard_cluster.durations import parse_duration
from runyard_cluster.sizes import parse_size

#: The smallest share of a CPU or GPU a run can ask for: one thousandth.
SMALLEST_SHARE = 0.001
MAX_BATCH = 100_000
MAX_TEXT = 200
MAX_PATH = 4_096
#: The kernel's limit for one argument on Linux (MAX_ARG_STRLEN), and what all of them may take together.
MAX_ARG_BYTES = 131_071
MAX_ARGS_BYTES = 2_000_000
MAX_ARGS = 100_000
PRIORITY_LIMIT = 1_000_000
MAX_RETRIES = 1_000
SERVER_VARIABLES = ("RUNYARD_",)


def _plain_text(value: str) -> str:
    if "\0" in value:
        raise ValueError("a NUL character is not allowed")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("unpaired surrogates are not allowed: send valid Unicode")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _share(value: float) -> float:
    if value < 0 or 0 < value < SMALLEST_SHARE:
        raise ValueError(f"must be 0 or at least {SMALLEST_SHARE}")
    return value + 0.0


def _cpus(value: Any) -> Any:
    if value == "auto":
        return value
    share = _share(_number(value))
    if share > 100_000:
        raise ValueError("must be at most 100000")
    return share


def _gpus(value: Any) -> Any:
    share = _share(_number(value))
    if share > 1 and share != int(share):
        raise ValueError("must be a fraction up to 1, or a whole number")
    if share > 10_000:
        raise ValueError("must be at most 10000")
    return share


def _memory(value: Any) -> Any:
    return value if value == "auto" else parse_size(value)


def _timeout(value: Any) -> float:
    seconds = parse_duration(value)
    if seconds <= 0:
        raise ValueError("must be greater than 0; leave it out for no limit")
    return seconds


def _argument(value: str) -> str:
    if len(value) > MAX_ARG_BYTES // 4 and len(value.encode()) > MAX_ARG_BYTES:
        raise ValueError(f"an argument may have at most {MAX_ARG_BYTES} bytes")
    return _plain_text(value)


def _together(values: list[str]) -> list[str]:
    if sum(len(v) for v in values) > MAX_ARGS_BYTES:
        raise ValueError(f"all arguments together may have at most {MAX_ARGS_BYTES} characters")
    return values


def _environment(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not name or "=" in name or "\0" in name:
            raise ValueError(f"{name!r} is no name for a variable")
        if name.upper().startswith(SERVER_VARIABLES):
            raise ValueError(f"{name}: names that start with RUNYARD_ are set by runyard itself")
        _plain_text(name)
        _argument(text)
    return value


Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(_plain_text)]
PathText = Annotated[str, Field(min_length=1, max_length=MAX_PATH), AfterValidator(_plain_text)]
Argument = Annotated[str, AfterValidator(_argument)]
Arguments = Annotated[list[Argument], Field(max_length=MAX_ARGS), AfterValidator(_together)]
Cpus = Annotated[float | Literal["auto"], BeforeValidator(_cpus)]
Gpus = Annotated[float, BeforeValidator(_gpus)]
Size = Annotated[
    int, BeforeValidator(parse_size, json_schema_input_type=int | str), Field(examples=["8GiB", 536870912])
]
Memory = Annotated[
    int | Literal["auto"],
    BeforeValidator(_memory, json_schema_input_type=int | str),
    Field(examples=["4GiB", 536870912]),
]
Duration = Annotated[float, BeforeValidator(_timeout, json_schema_input_type=float | str)]
Priority = Annotated[int, Field(strict=True, ge=-PRIORITY_LIMIT, le=PRIORITY_LIMIT)]
Labels = Annotated[
    dict[Text, Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_plain_text)]], Field(max_length=64)
]
Environment = Annotated[dict[str, str], Field(max_length=1_000), AfterValidator(_environment)]
WhenFull = Literal["queue", "reject"]


class Strict(BaseModel):
    """Unknown fields are errors; numbers are not made from texts."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


class RequestIn(Strict):
    """The resources and limits a run declares; what is left out comes from its module, then the defaults."""

    num_cpus: Cpus | None = Field(None, description='CPUs, fractions allowed, or "auto"')
    num_gpus: Gpus | None = Field(None, description="GPUs: a fraction of one, or whole ones")
    memory: Memory | None = Field(None, description='bytes or a text as "4GiB"; for the whole process tree')
    gpu_memory: Size | None = Field(None, description="GPU memory, from one GPU")
    timeout: Duration | None = Field(None, description='seconds or a text as "30m"')
    priority: Priority | None = Field(None, description="higher starts first; 0 is usual")
    max_retries: Annotated[int, Field(strict=True, ge=0, le=MAX_RETRIES)] | None = None
    max_concurrent: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        None, description="at most this many runs of the module at once"
    )


class RunIn(RequestIn):
    """One run to submit: a module by id, a script, or a command."""

    module_id: Text | None = Field(None, description="a module of the registry, or the id for an ad-hoc run")
    script: PathText | None = Field(None, description="a Python script; runs with `python`")
    command: Annotated[Arguments, Field(min_length=1)] | None = None
    args: Arguments = Field(default_factory=list)
    name: Text | None = Field(None, description="what people see; the module's own name if left out")
    python: PathText | None = None
    cwd: PathText | None = None
    env: Environment = Field(
        default_factory=dict, description="added to the environment; never given out again"
    )
    labels: Labels = Field(default_factory=dict)
    after: Annotated[list[int | Text], Field(max_length=MAX_BATCH)] = Field(
        default_factory=list, description="ids of runs, or indexes within the batch, that must complete first"
    )
    warm: bool = False
    preload: Annotated[list[Text], Field(max_length=100)] = Field(default_factory=list)

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
    def _names_what_to_run(self) -> RunIn:
        if self.script is not None and self.command is not None:
            raise ValueError("give `script` or `command`, not both")
        if self.script is None and self.command is None and self.module_id is None:
            raise ValueError("give one of `module`, `script` and `command`")
        return self


class SubmitIn(RunIn):
    """One run submitted by itself."""

    when_full: WhenFull | None = Field(None, description='"reject" answers 429 when no slot is free')


class BatchIn(Strict):
    """Runs to accept together or not at all."""

    runs: Annotated[list[RunIn], Field(min_length=1)]
    name: Text | None = None
    max_concurrent: Annotated[int, Field(strict=True, ge=1)] | None = None
    max_failures: Annotated[int, Field(strict=True, ge=1)] | None = None
    when_full: WhenFull | None = None


class CancelIn(Strict):
    """Why something is cancelled; optional."""

    reason: Annotated[str, Field(max_length=1_000), AfterValidator(_plain_text)] | None = None


class RestartIn(RequestIn):
    """What the new run does differently; everything left out is as it was."""

    args: Arguments | None = None
    env: Environment | None = None
    name: Text | None = None
    labels: Labels | None = None
