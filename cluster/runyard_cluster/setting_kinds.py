"""The kinds of values that settings have: what each takes, and the words for what it does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from runyard_cluster.durations import parse_duration
from runyard_cluster.factor import check_factor
from runyard_cluster.pause import parse_rule
from runyard_cluster.share import SMALLEST_SHARE
from runyard_cluster.sizes import parse_size

MAX_CPUS = 100_000
MAX_GPUS = 10_000
MAX_TEXT = 200
MAX_PATH = 4_096
_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
#: An address that a webhook may have, and how long it may be.
WEB_ADDRESS = rf"^https?://[A-Za-z0-9][A-Za-z0-9.-]*(:{_PORT})?([/?][!-~]*)?$"
MAX_ADDRESS = 2_000
#: What Linux takes as one argument of a program.
MAX_ARGUMENT = 131_071
#: Variables that runyard itself sets, so that no module's `env` may.
OWN_VARIABLES = "RUNYARD_"

_NUMBER = re.compile(r"\s*[+-]?(?:(\d{1,30})|\d{0,30}\.\d{1,30}|\d{1,30}\.)\s*", re.ASCII)


def number_from(text: str) -> int | float | str:
    """Return the number that a text holds, for places where everything is a text; else the text."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text
    return int(text) if match[1] else float(text)


def whole(low: int, high: int) -> BeforeValidator:
    """Return a check for whole numbers from `low` to `high`."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return BeforeValidator(check)


def _share(value: Any, most: int, allowed: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not (value == 0 or SMALLEST_SHARE <= value <= most):
        raise ValueError(allowed)
    # Adding nothing turns -0.0 into 0.0.
    return float(value) + 0.0


def _cpus(value: Any) -> float:
    return _share(value, MAX_CPUS, f"must be 0, or a number from {SMALLEST_SHARE} to {MAX_CPUS}")


def _gpus(value: Any) -> float:
    allowed = f"must be 0, a fraction from {SMALLEST_SHARE} to 1, or a whole number up to {MAX_GPUS}"
    share = _share(value, MAX_GPUS, allowed)
    if share > 1 and not share.is_integer():
        raise ValueError(allowed)
    return share


def _or_word(check: Callable[[Any], Any], *words: str) -> Callable[[Any], Any]:
    def either(value: Any) -> Any:
        if isinstance(value, str) and value in words:
            return value
        try:
            return check(value)
        except ValueError as error:
            allowed = " or ".join(f'"{word}"' for word in words)
            raise ValueError(f"{error}, or {allowed}") from error

    return either


def _text(least: int, most: int) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not least <= len(value) <= most or "\0" in value:
            raise ValueError(f"must be a text of {least} to {most} characters, without NUL")
        return value

    return check


def _path(value: Any) -> Any:
    return value if isinstance(value, Path) else _text(1, MAX_PATH)(value)


def _environment(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not name or "=" in name or "\0" in name + text:
            raise ValueError(
                "names must not be empty nor hold `=`, and neither names nor values may hold NUL"
            )
        if name.upper().startswith(OWN_VARIABLES):
            raise ValueError(f"names that start with {OWN_VARIABLES} are set by runyard itself")
    return value


def _pause_rule(value: Any) -> str:
    parse_rule(value)
    return str(value)


def web_address(value: Any) -> str:
    """Return an address that can be called. Raises ValueError."""
    if not isinstance(value, str) or len(value) > MAX_ADDRESS or not re.fullmatch(WEB_ADDRESS, value):
        raise ValueError('must be an address as "https://host/path", with a name or an IPv4 address as host')
    return value


def program(value: tuple[str, ...]) -> tuple[str, ...]:
    """Return a command, which begins with a program unless it is empty. Raises ValueError."""
    if value and not value[0]:
        raise ValueError("must begin with a program")
    return value


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


Size = Annotated[int, BeforeValidator(parse_size)]
Memory = Annotated[int | Literal["auto", "learn"], BeforeValidator(_or_word(parse_size, "auto", "learn"))]
GpuMemory = Annotated[int | Literal["learn"], BeforeValidator(_or_word(parse_size, "learn"))]
Cpus = Annotated[float | Literal["auto"], BeforeValidator(_or_word(_cpus, "auto"))]
Gpus = Annotated[float, BeforeValidator(_gpus)]
Factor = Annotated[float, BeforeValidator(check_factor)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
PauseRule = Annotated[str, BeforeValidator(_pause_rule)]
Switch = Annotated[bool, BeforeValidator(_yes_or_no)]
Text = Annotated[str, BeforeValidator(_text(1, MAX_TEXT))]
Label = Annotated[str, BeforeValidator(_text(0, MAX_TEXT))]
Argument = Annotated[str, BeforeValidator(_text(0, MAX_ARGUMENT))]
Command = Annotated[tuple[Argument, ...], AfterValidator(program)]
WebAddress = Annotated[str, BeforeValidator(web_address)]
FilePath = Annotated[Path, BeforeValidator(_path)]
Environment = Annotated[dict[str, str], AfterValidator(_environment)]
