"""Kinds of values on the command line, with the words that say what is allowed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import click

from runyard_cluster.share import SMALLEST_SHARE


class Parsed(click.ParamType):  # type: ignore[type-arg] # older versions of click have no argument here
    """A value read by a function that raises ValueError in words."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value, or fail with the words."""
        try:
            return self._parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _size(value: str) -> int:
    from runyard_cluster.sizes import parse_size

    return parse_size(value)


def _memory(value: str) -> int | str:
    return value if value in ("auto", "learn") else _size(value)


def _gpu_memory(value: str) -> int | str:
    return value if value == "learn" else _size(value)


def _duration(value: str) -> float:
    from runyard_cluster.durations import parse_duration

    seconds = parse_duration(value)
    if seconds <= 0:
        raise ValueError("must be greater than 0; leave it out for no limit")
    return seconds


def _patience(value: str) -> float:
    from runyard_cluster.durations import parse_duration

    return parse_duration(value)


def _cpus(value: str) -> float | str:
    return "auto" if value == "auto" else _share(value)


def _share(value: str) -> float:
    try:
        share = float(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is not a number") from error
    if not 0 <= share <= 100_000 or 0 < share < SMALLEST_SHARE:
        raise ValueError(f"must be 0, or from {SMALLEST_SHARE} to 100000")
    return share


def _factor(value: str) -> float:
    from runyard_cluster.factor import check_factor

    try:
        number = float(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is not a number") from error
    return check_factor(number)


def _moment(value: str) -> str:
    from runyard.moment import microseconds

    microseconds(value)
    return value


def _moment_to_come(value: str) -> str:
    from runyard_cluster.moment_to_come import parse_moment

    parse_moment(value)
    return value


def _limit(value: str) -> int | str:
    if value == "none":
        return value
    if not value.isdecimal() or len(value) > 9 or int(value) < 1:
        raise ValueError(f'{value!r} must be a whole number from 1 on, or "none"')
    return int(value)


CPUS = Parsed("number", _cpus)
FACTOR = Parsed("number", _factor)
SHARE = Parsed("number", _share)
GPU_MEMORY = Parsed("size", _gpu_memory)
MEMORY = Parsed("size", _memory)
DURATION = Parsed("time", _duration)
PATIENCE = Parsed("time", _patience)
MOMENT = Parsed("date", _moment)
LIMIT = Parsed("number", _limit)
MOMENT_TO_COME = Parsed("date", _moment_to_come)


def pairs(given: Iterable[str], option: str, *, from_environment: bool = False) -> dict[str, str]:
    """Return KEY=VALUE texts as a dict. With `from_environment`, a bare KEY takes the caller's value."""
    found = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not equals and from_environment and key in os.environ:
            value = os.environ[key]
        elif not equals or not key:
            raise click.BadParameter(f"{each!r} must be KEY=VALUE", param_hint=option)
        found[key] = value
    return found
