"""By how much a run's memory grows when it had too little: a factor, in a file, a request or on the command line."""

from __future__ import annotations

from typing import Any

#: Three times this is 4096 times as much: past it, the first request was no estimate at all.
LARGEST_FACTOR = 16


def check_factor(value: Any) -> float:
    """Return the factor. Raises ValueError saying what is allowed; 1 is allowed and means: never more."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 1 <= value <= LARGEST_FACTOR:
        raise ValueError(f"must be a number from 1 to {LARGEST_FACTOR}, as 1.5")
    return float(value)
