"""Durations in seconds, as people write and read them."""

from __future__ import annotations

import math
import re

from runyard_cluster.errors import InvalidRequestError
from runyard_cluster.quoted import quoted

#: The longest duration that is taken, in seconds: a little over 30,000 years.
LONGEST = 1e12

#: Characters of a text that may still be a duration.
LONGEST_TEXT = 100

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*(ms|[smhdw])\s*", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"\s*\d{1,15}(?:\.\d{1,9})?\s*", re.ASCII)
_ALLOWED = 'allowed: seconds, or a text as "90s", "30m", "2h", "1h30m"'


def parse_duration(value: object) -> float:
    """Return a number of seconds. Raises InvalidRequestError for anything that is not a duration."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InvalidRequestError(f"{quoted(value)} is not a duration; {_ALLOWED}")
    seconds = _from_text(value) if isinstance(value, str) else _from_number(value)
    if not math.isfinite(seconds) or not 0 <= seconds <= LONGEST:
        raise InvalidRequestError(f"{quoted(value)} is out of range for a duration; {_ALLOWED}")
    return seconds + 0.0


def format_duration(seconds: float) -> str:
    """Return a duration for people: "0.8 s", "42 s", "3 m 20 s", "2 h 05 m", "4 d 03 h"."""
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} m"
    return f"{whole // 86400} d {whole % 86400 // 3600:02} h"


def _from_number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _from_text(text: str) -> float:
    if len(text) <= LONGEST_TEXT and _NUMBER.fullmatch(text):
        return float(text)
    position, seconds = 0, 0.0
    while len(text) <= LONGEST_TEXT and (match := _PART.match(text, position)):
        seconds += float(match[1]) * UNITS[match[2].lower()]
        position = match.end()
    if not text or position != len(text):
        raise InvalidRequestError(f"{quoted(text)} is not a duration; {_ALLOWED}")
    return seconds
