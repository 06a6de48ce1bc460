"""The `Range` header, as RFC 9110 has it: one range of bytes, or none that counts."""

from __future__ import annotations

import re

#: Python reads no number of more than 4,300 digits; a shorter one may be as far past the end as it likes.
_ONE_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,4000})\s*-\s*(\d{0,4000})\s*", re.ASCII | re.IGNORECASE)


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte that is asked for and the one after the last; None when all are.

    The range is empty when none of its bytes is there: the answer is 416 then. What is malformed, or more than one
    range, is as if nothing were asked for, which the RFC allows.
    """
    found = _ONE_RANGE.fullmatch(header or "")
    if found is None or found.group(1) == found.group(2) == "":
        return None
    first, last = found.groups()
    if first == "":
        return max(0, size - int(last)), size
    if last != "" and int(last) < int(first):
        return None
    start = min(size, int(first))
    return start, min(size, int(last) + 1 if last else size)
