"""Sizes in bytes, as people write and read them."""

from __future__ import annotations

import re

from runyard_cluster.errors import InvalidRequestError
from runyard_cluster.quoted import quoted

#: The largest size that is taken: what a signed 64-bit integer holds.
LARGEST = 2**63 - 1

#: Characters of a text that may still be a size.
LONGEST_TEXT = 100

#: Decimal with a "B", binary with an "i" or as a bare letter, as in docker and the kernel's own tools.
UNITS = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgtp", 1):
    UNITS |= {_letter: 1024**_power, f"{_letter}i": 1024**_power, f"{_letter}ib": 1024**_power}
    UNITS[f"{_letter}b"] = 1000**_power

_FORM = re.compile(r"\s*(\d{1,30}(?:\.\d{1,30})?)\s*([a-z]{0,3})\s*", re.IGNORECASE | re.ASCII)
_ALLOWED = 'allowed: whole bytes, or a text as "4GiB", "512MB", "1.5g"'


def parse_size(value: object) -> int:
    """Return a number of bytes. Raises InvalidRequestError for anything that is not a size."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InvalidRequestError(f"{quoted(value)} is not a size; {_ALLOWED}")
    size = value if isinstance(value, int) else _from_text(value)
    if not 0 <= size <= LARGEST:
        raise InvalidRequestError(f"{quoted(value)} is out of range for a size; {_ALLOWED}")
    return size


def format_size(size: int) -> str:
    """Return a size for people: "4.3 GiB", "512 MiB", "0 B"."""
    amount, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        # What would be written as 1024 of a unit is 1 of the next.
        if round(amount) < 1024 or unit == "PiB":
            break
        amount /= 1024
    digits = 0 if unit == "B" or amount >= 99.95 or amount == int(amount) else 1
    return f"{amount:.{digits}f} {unit}"


def _from_text(text: str) -> int:
    match = _FORM.fullmatch(text) if len(text) <= LONGEST_TEXT else None
    unit = match[2].lower() if match else None
    if match is None or unit not in UNITS:
        raise InvalidRequestError(f"{quoted(text)} is not a size; {_ALLOWED}")
    whole, _, fraction = match[1].partition(".")
    if fraction and UNITS[unit] == 1:
        raise InvalidRequestError(f"{quoted(text)} is not a whole number of bytes; {_ALLOWED}")
    scaled: int = int(whole + fraction) * UNITS[unit] // 10 ** len(fraction)
    return scaled
