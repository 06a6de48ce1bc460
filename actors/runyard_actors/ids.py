"""Ids of runs and batches: ULIDs, 26 URL-safe characters that sort by time.

Ids made in one process within one millisecond count up, so a batch's runs sort in their order. That rule is why
this is ours: 48 bits of milliseconds and 80 random bits in Crockford's base 32, as the ULID specification has it.
"""

from __future__ import annotations

import secrets
import threading
import time

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26
#: Two characters at a time, of ten bits; an id is thirteen such pairs.
_PAIRS = [high + low for high in ALPHABET for low in ALPHABET]
_SHIFTS = range(120, -1, -10)
_RANDOM_BITS = 80
#: Ids of one millisecond lie up to 62 bits apart, so that a few letters tell them apart when typed.
_STEP_BYTES = 8

_lock = threading.Lock()
_last = [0, 0]


def new_id() -> str:
    """Return a fresh id, greater than every id this process made before."""
    return new_ids(1)[0]


def new_ids(count: int) -> list[str]:
    """Return `count` fresh ids in ascending order."""
    steps = secrets.token_bytes(_STEP_BYTES * count)
    with _lock:
        return [
            _encode(_next(int.from_bytes(steps[at : at + _STEP_BYTES]) >> 2))
            for at in range(0, len(steps), _STEP_BYTES)
        ]


def _next(step: int) -> int:
    """Return the number of the next id, so far from the last one of the same millisecond; call with the lock held."""
    now = time.time_ns() // 1_000_000
    moment, random = _last
    if now > moment:
        moment, random = now, secrets.randbits(_RANDOM_BITS - 1)
    else:
        random += 1 + step
        if random >> _RANDOM_BITS:
            moment, random = moment + 1, secrets.randbits(_RANDOM_BITS - 1)
    _last[:] = moment, random
    return (moment << _RANDOM_BITS) | random


def is_id(text: str) -> bool:
    """Whether `text` has the form of an id, which makes it safe as a part of a path."""
    return len(text) == LENGTH and text[0] < "8" and all(c in ALPHABET for c in text)


def _encode(number: int) -> str:
    return "".join([_PAIRS[number >> shift & 0x3FF] for shift in _SHIFTS])
