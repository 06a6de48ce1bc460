"""The kinds of fields that come in over REST: what each takes, and the words for what it does not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from runyard_cluster.durations import LONGEST, parse_duration
from runyard_cluster.factor import LARGEST_FACTOR, check_factor
from runyard_cluster.moment_to_come import DATE, parse_moment
from runyard_cluster.setting_kinds import MAX_ADDRESS, WEB_ADDRESS
from runyard_cluster.share import SMALLEST_SHARE
from runyard_cluster.sizes import LARGEST, parse_size

MAX_CPUS = 100_000
MAX_GPUS = 10_000
MAX_BATCH = 100_000
MAX_TEXT = 200
MAX_PATH = 4_096
#: The kernel's limit for one argument on Linux (MAX_ARG_STRLEN), and what a process may be given in all.
MAX_ARG_BYTES = 131_071
MAX_PROCESS_BYTES = 2_000_000
MAX_ARGS = 100_000
MAX_VARIABLES = 1_000
MAX_LABELS = 64
PRIORITY_LIMIT = 1_000_000
MAX_RETRIES = 1_000
#: The largest limit that can be set on a number of runs.
MAX_LIMIT = 1_000_000_000
#: No object we take has this many fields. Past it, they are not even looked at one by one.
MAX_FIELDS = 100
SERVER_VARIABLES = ("RUNYARD_",)
#: UTF-8 takes at most this many bytes for a character.
_WIDEST = 4


def plain_text(value: str) -> str:
    """Return the text. Raises ValueError for one that no system call takes."""
    if "\0" in value:
        raise ValueError("a NUL character is not allowed")
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
    if isinstance(value, str) and value == "auto":
        return value
    if _number(value) > MAX_CPUS:
        raise ValueError(f"must be at most {MAX_CPUS}")
    return _share(value)


def _gpus(value: Any) -> Any:
    if _number(value) > MAX_GPUS:
        raise ValueError(f"must be at most {MAX_GPUS}")
    share = _share(value)
    if share > 1 and share != int(share):
        raise ValueError("must be a fraction up to 1, or a whole number")
    return share


def _memory(value: Any) -> Any:
    return value if isinstance(value, str) and value in ("auto", "learn") else parse_size(value)


def _gpu_memory(value: Any) -> Any:
    return value if isinstance(value, str) and value == "learn" else parse_size(value)


def _timeout(value: Any) -> float:
    seconds = parse_duration(value)
    if seconds <= 0:
        raise ValueError("must be greater than 0; leave it out for no limit")
    return seconds


def _argument(value: str) -> str:
    if is_longer([value], MAX_ARG_BYTES):
        raise ValueError(f"an argument may have at most {MAX_ARG_BYTES} bytes")
    return plain_text(value)


def _environment(value: dict[str, str]) -> dict[str, str]:
    """Check names and values. No message repeats a value, nor what stands behind a "=" in a name."""
    for name, text in value.items():
        if not name or "=" in name or "\0" in name:
            raise ValueError("the name of a variable must not be empty, nor hold `=` or NUL")
        if name.upper().startswith(SERVER_VARIABLES):
            raise ValueError(f"{name[:MAX_TEXT]}: names that start with RUNYARD_ are set by runyard itself")
        if "\0" in text:
            raise ValueError(f"{name[:MAX_TEXT]}: a NUL character is not allowed")
        if is_longer([name, "=", text], MAX_ARG_BYTES):
            raise ValueError(f"{name[:MAX_TEXT]}: name and value may have at most {MAX_ARG_BYTES} bytes")
    return value


def at_most(limit: int) -> Callable[[Any], Any]:
    """Return a check that refuses too many items before any of them is looked at."""

    def check(value: Any) -> Any:
        if isinstance(value, list | dict) and len(value) > limit:
            raise ValueError(f"may have at most {limit} items, not {len(value)}")
        return value

    return check


def is_longer(texts: Iterable[str], limit: int) -> bool:
    """Tell whether texts take more bytes than the limit; only long ones are encoded to find out."""
    texts = list(texts)
    characters = sum(map(len, texts))
    return characters * _WIDEST > limit and sum(len(t.encode()) for t in texts) > limit


def _share_schema(largest: int) -> list[dict[str, Any]]:
    return [{"const": 0}, {"type": "number", "minimum": SMALLEST_SHARE, "maximum": largest}]


NO_NUL = Field(json_schema_extra={"pattern": "^[^\\u0000]*$"})
_SIZE_SCHEMA: list[dict[str, Any]] = [
    {"type": "integer", "minimum": 0, "maximum": LARGEST},
    {"type": "string", "pattern": r"^\d{1,15}(\.\d{1,6})? ?([kKmMgGtTpP]i?)[bB]?$"},
]
_DURATION_PART = r"\d{1,9}(\.\d{1,6})?(ms|[smhdw])"


def _begins_with_program(value: list[str]) -> list[str]:
    if value and not value[0]:
        raise ValueError("must begin with a program")
    return value


Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(plain_text), NO_NUL]
Label = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(plain_text), NO_NUL]
PathText = Annotated[str, Field(min_length=1, max_length=MAX_PATH), AfterValidator(plain_text), NO_NUL]
Argument = Annotated[str, AfterValidator(_argument), NO_NUL]
Arguments = Annotated[list[Argument], Field(max_length=MAX_ARGS), BeforeValidator(at_most(MAX_ARGS))]
Cpus = Annotated[
    float | Literal["auto"],
    BeforeValidator(_cpus),
    WithJsonSchema({"anyOf": [*_share_schema(MAX_CPUS), {"const": "auto", "type": "string"}]}),
]
Gpus = Annotated[
    float,
    BeforeValidator(_gpus),
    WithJsonSchema({"anyOf": [*_share_schema(1), {"type": "integer", "minimum": 0, "maximum": MAX_GPUS}]}),
]
GpuMemory = Annotated[
    int | Literal["learn"],
    BeforeValidator(_gpu_memory),
    WithJsonSchema(
        {"anyOf": [*_SIZE_SCHEMA, {"const": "learn", "type": "string"}], "examples": ["8GiB", 536870912]}
    ),
]
Memory = Annotated[
    int | Literal["auto", "learn"],
    BeforeValidator(_memory),
    WithJsonSchema(
        {
            "anyOf": [*_SIZE_SCHEMA, {"enum": ["auto", "learn"], "type": "string"}],
            "examples": ["4GiB", 536870912],
        }
    ),
]
Duration = Annotated[
    float,
    BeforeValidator(_timeout),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST},
                {"type": "string", "pattern": f"^({_DURATION_PART})+$"},
            ],
            "examples": ["30m", 90],
        }
    ),
]
Patience = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": LONGEST},
                {"type": "string", "pattern": f"^({_DURATION_PART})+$"},
            ],
            "examples": ["10m", 0],
        }
    ),
]
Moment = Annotated[
    int,
    BeforeValidator(parse_moment),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time", "pattern": f"^{DATE}$"},
                {"type": "string", "pattern": rf"^\+({_DURATION_PART})+$"},
            ],
            "examples": ["2026-01-31T08:00:00Z", "+10m"],
        }
    ),
]
ExitCodes = Annotated[
    list[Annotated[int, Field(strict=True, ge=1, le=2**32 - 1)]],
    Field(max_length=256),
    BeforeValidator(at_most(256)),
]
OnStall = Literal["tell", "stop"]
Code = Literal["shared", "ship"]
Factor = Annotated[
    float,
    BeforeValidator(check_factor),
    WithJsonSchema({"type": "number", "minimum": 1, "maximum": LARGEST_FACTOR, "examples": [1.5]}),
]
Priority = Annotated[int, Field(strict=True, ge=-PRIORITY_LIMIT, le=PRIORITY_LIMIT)]
Retries = Annotated[int, Field(strict=True, ge=0, le=MAX_RETRIES)]
Limit = Annotated[int, Field(strict=True, ge=1, le=MAX_LIMIT)]
Index = Annotated[int, Field(strict=True, ge=0, lt=MAX_BATCH)]
Labels = Annotated[dict[Text, Label], Field(max_length=MAX_LABELS), BeforeValidator(at_most(MAX_LABELS))]
Environment = Annotated[
    dict[str, str],
    Field(max_length=MAX_VARIABLES),
    BeforeValidator(at_most(MAX_VARIABLES)),
    AfterValidator(_environment),
]
WhenFull = Literal["queue", "reject"]
Webhook = Annotated[str, Field(pattern=WEB_ADDRESS, max_length=MAX_ADDRESS)]
Command = Annotated[Arguments, AfterValidator(_begins_with_program)]
Preload = Annotated[list[Text], Field(max_length=100)]
