"""A body as it is sent: strict JSON, or an error that names the place of what JSON has no words for."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from runyard_cluster.errors import InvalidRequestError
from runyard_cluster.quoted import quoted


def encoded(body: Any) -> bytes:
    """Return the body as JSON. Raises InvalidRequestError naming the field."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except RecursionError as error:
        raise InvalidRequestError("this cannot be sent as JSON: it is nested too deeply") from error
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(f"this cannot be sent as JSON: {_place(body) or error}") from error


def _place(body: Any) -> str:
    """Return the first place that is wrong, or nothing for a body that holds itself, whose places have no end."""
    try:
        return next(_places(body), "")
    except RecursionError:
        return ""


def _places(value: Any, place: str = "") -> Iterator[str]:
    """Yield what JSON does not know , each with its place: "runs[3].num_cpus: nan"."""
    if isinstance(value, dict):
        for key, each in value.items():
            if not isinstance(key, str) or _is_broken(key):
                yield f"{place or 'the body'} has a key that is no text: {quoted(key)}"
            yield from _places(each, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _places(each, f"{place}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{place}: {value} is no number of JSON"
    elif isinstance(value, str) and _is_broken(value):
        yield f"{place}: {quoted(value)} holds half a character"
    elif value is not None and not isinstance(value, str | int | float):
        yield f"{place}: {quoted(value)}"


def _is_broken(text: str) -> bool:
    return any("\ud800" <= c <= "\udfff" for c in text)
