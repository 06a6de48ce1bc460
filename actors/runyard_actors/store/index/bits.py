"""Sets of places, one bit each: changed one by one, combined as whole numbers by `&` and `|`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_NOT_ZERO = re.compile(rb"[^\0]", re.DOTALL)
_BITS_OF = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))

#: How many bytes are counted at once on the way to a rank.
_CHUNK = 1024


class Bits:
    """A set of places from 0 on. `whole` is the same set as a number, whose bit 0 stands for place 0."""

    __slots__ = ("_raw", "_whole")

    def __init__(self, places: Iterable[int] = (), base: Bits | None = None) -> None:
        """Begin with the places of `base` and those given."""
        self._raw: bytearray = bytearray(base._raw) if base else bytearray()
        self._whole: int | None = None
        self.update(places)

    def add(self, place: int) -> None:
        """Put one in."""
        self.update((place,))

    def update(self, places: Iterable[int]) -> None:
        """Put many in; quickest in ascending order."""
        raw = self._raw
        for place in places:
            try:
                raw[place >> 3] |= 1 << (place & 7)
            except IndexError:
                # More than is needed, so that one after the other does not mean one growth each.
                raw.extend(bytes((place >> 3) - len(raw) + 1 + _CHUNK))
                raw[place >> 3] |= 1 << (place & 7)
        self._whole = None

    def discard(self, place: int) -> None:
        """Take one out, if it is in."""
        at = place >> 3
        if at < len(self._raw):
            self._raw[at] &= ~(1 << (place & 7))
            self._whole = None

    @property
    def whole(self) -> int:
        """The set as a number."""
        if self._whole is None:
            self._whole = int.from_bytes(self._raw, "little")
        return self._whole


def between(first: int, last: int) -> int:
    """Return the set of all places from `first` to `last`, both included."""
    first = max(first, 0)
    return 0 if last < first else (1 << (last + 1)) - (1 << first)


def raw_bytes(whole: int) -> bytes:
    """Return the set's bytes, eight places in each."""
    return whole.to_bytes((whole.bit_length() + 7) // 8, "little")


def places(whole: int) -> Iterator[int]:
    """Yield all places of a set, ascending."""
    return _places(raw_bytes(whole), 0)


def ranked(whole: int, first: int, count: int) -> list[int]:
    """Return up to `count` places of a set, ascending, from the one of rank `first` on."""
    raw, at = raw_bytes(whole), 0
    while at < len(raw):
        inside = int.from_bytes(raw[at : at + _CHUNK], "little").bit_count()
        if first < inside:
            break
        first -= inside
        at += _CHUNK
    found: list[int] = []
    while at < len(raw) and len(found) < first + count:
        found += _places(raw[at : at + _CHUNK], at << 3)
        at += _CHUNK
    return found[first : first + count]


def _places(raw: bytes, start: int) -> Iterator[int]:
    for match in _NOT_ZERO.finditer(raw):
        at = match.start()
        eight = start + (at << 3)
        for bit in _BITS_OF[raw[at]]:
            yield eight + bit
