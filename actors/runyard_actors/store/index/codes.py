"""Runs by their exit code: a set for each code that any run ended with."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_

from runyard_actors.store.index.bits import Bits


class Codes:
    """Sets of places by exit code. What completed is not in them: it is known by its status, and exited with 0."""

    def __init__(self, rows: Iterable[tuple[int, int]]) -> None:
        """Take (place, code) of all runs that ended with a code and did not complete."""
        self._of: dict[int, Bits] = {}
        for place, code in rows:
            self._of.setdefault(code, Bits()).add(place)

    def put(self, place: int, code: int | None) -> None:
        """Give a place its code, or none."""
        for bits in self._of.values():
            bits.discard(place)
        if code is not None:
            self._of.setdefault(code, Bits()).add(place)

    def having(self, codes: Iterable[int]) -> int:
        """Return all places with one of these codes."""
        return reduce(or_, (self._of[code].whole for code in set(codes) & self._of.keys()), 0)
