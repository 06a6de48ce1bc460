"""Ids of runs and batches: ULIDs, 26 URL-safe characters that sort by time.

Ids made in one process within one millisecond count up, so a batch's runs sort in their order. That rule is why
this is ours: 48 bits of milliseconds and 80 random bits in Crockford's base 32, as the ULID specification has it.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26
_RANDOM_BITS = 80
#: Room left above a fresh random part, so that counting up within a millisecond never overflows.
_START_BITS = 79

_lock = threading.Lock()
_last = [0, 0]


def new_id() -> str:
    """Return a fresh id, greater than every id this process made before."""
    return next(new_ids(1))


def new_ids(count: int) -> Iterator[str]:
    """Return `count` fresh ids in ascending order."""
    with _lock:
        now = max(time.time_ns() // 1_000_000, _last[0])
        first = _last[1] + 1 if now == _last[0] else secrets.randbits(_START_BITS)
        _last[:] = [now, first + count]
    return (_encode((now << _RANDOM_BITS) | (first + i)) for i in range(count))


def is_id(text: str) -> bool:
    """Whether `text` has the form of an id, which makes it safe as a part of a path."""
    return len(text) == LENGTH and text[0] < "8" and all(c in ALPHABET for c in text)


def _encode(number: int) -> str:
    characters = []
    for _ in range(LENGTH):
        characters.append(ALPHABET[number & 31])
        number >>= 5
    return "".join(reversed(characters))
