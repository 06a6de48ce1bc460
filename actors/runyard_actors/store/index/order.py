"""Places in the order of a value that each has, or has not: blocks of about equal size, each knowing who lies below.

How many of any set lie below a block is one `&` and one count, so the block with a given rank is found in a few
steps whatever the set is, and only that block is looked through.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import islice

from runyard_actors.store.index.bits import Bits, places, ranked, raw_bytes

#: Places in a block when it is made; with twice as many it becomes two. Less costs memory, more costs time.
BLOCK = 16_384

#: A set of up to so many places is sorted by itself.
SMALL = 2_000

#: Stands for "has no value", which comes before every value, as in SQLite.
_NONE = -(2**63)


class Order:
    """Places by (value, place), ascending; those without a value first."""

    def __init__(self, rows: Iterable[tuple[int, int]]) -> None:
        """Take (place, value) of all that have one, in that order."""
        self._values = array("q")
        self._blocks: list[array[int]] = []
        #: The smallest (value, place) that each block may hold; the first block's holds for nothing.
        self._starts: list[tuple[int, int]] = []
        #: Who lies in the blocks before each; the last one is everybody.
        self._below = [Bits()]
        rows = iter(rows)
        while part := list(islice(rows, BLOCK)):
            self._append(part)
        if not self._blocks:
            self._append([])

    def put(self, place: int, value: int | None) -> None:
        """Give a place its value, another one, or none."""
        self._reserve(place)
        new, old = _NONE if value is None else value, self._values[place]
        if new == old:
            return
        if old != _NONE:
            self._take_out(place, old)
        self._values[place] = new
        if new != _NONE:
            self._put_in(place, new)

    def page(self, wanted: int, first: int, count: int) -> list[int]:
        """Return up to `count` places of the set `wanted`, from the one of rank `first` on."""
        if wanted.bit_count() <= SMALL:
            return sorted(places(wanted), key=self._key)[first : first + count]
        with_value = self._below[-1].whole
        without = wanted & ~with_value
        found = ranked(without, first, count)
        first = max(0, first - without.bit_count())
        return found + self._page(wanted & with_value, first, count - len(found))

    def between(self, lowest: int | None, highest: int | None) -> int:
        """Return the set of all places with a value from `lowest` to `highest`, both included; None is no bound."""
        last = self._below[-1].whole if highest is None else self._up_to(highest)
        return last if lowest is None else last & ~self._up_to(lowest - 1)

    def _up_to(self, value: int) -> int:
        """Return who has at most this value: all blocks below the one that it falls into, and a part of that."""
        # The first block's start holds for nothing: smaller values may have come into it since.
        number = max(0, bisect_right(self._starts, value, key=lambda start: start[0]) - 1)
        block = self._blocks[number]
        part = block[: bisect_right(block, value, key=self._values.__getitem__)]
        return self._below[number].whole | Bits(part).whole

    def _page(self, wanted: int, first: int, count: int) -> list[int]:
        found: list[int] = []
        end = min(wanted.bit_count(), first + count)
        while first < end:
            part = self._from_block(wanted, first, end - first)
            found += part
            first += len(part)
        return found

    def _from_block(self, wanted: int, first: int, count: int) -> list[int]:
        """Return what one block holds of the page: at least one place."""
        number = bisect_right(range(len(self._blocks)), first, key=lambda n: self._count(wanted, n)) - 1
        skipped = first - self._count(wanted, number)
        inside = wanted & self._below[number + 1].whole & ~self._below[number].whole
        if inside.bit_count() <= SMALL:
            return sorted(places(inside), key=self._key)[skipped : skipped + count]
        raw, end = raw_bytes(inside), inside.bit_length()
        found = (p for p in self._blocks[number] if p < end and raw[p >> 3] >> (p & 7) & 1)
        return list(islice(found, skipped, skipped + count))

    def _count(self, wanted: int, number: int) -> int:
        return (wanted & self._below[number].whole).bit_count()

    def _key(self, place: int) -> tuple[int, int]:
        return (self._values[place] if place < len(self._values) else _NONE), place

    def _append(self, rows: list[tuple[int, int]]) -> None:
        for place, value in rows:
            self._reserve(place)
            self._values[place] = value
        block = array("I", (place for place, _ in rows))
        self._starts.append(self._key(block[0]) if block else (_NONE, 0))
        self._blocks.append(block)
        self._below.append(Bits(block, base=self._below[-1]))

    def _reserve(self, place: int) -> None:
        if place >= len(self._values):
            self._values.extend([_NONE] * (place - len(self._values) + 1 + BLOCK))

    def _number(self, key: tuple[int, int]) -> int:
        return max(0, bisect_right(self._starts, key) - 1)

    def _take_out(self, place: int, value: int) -> None:
        number = self._number((value, place))
        block = self._blocks[number]
        del block[bisect_left(block, (value, place), key=self._key)]
        for below in self._below[number + 1 :]:
            below.discard(place)
        if not block and len(self._blocks) > 1:
            # The block below, or for the first one the block above, has its range from now on.
            del self._blocks[number], self._starts[number], self._below[number + 1]

    def _put_in(self, place: int, value: int) -> None:
        number = self._number((value, place))
        block = self._blocks[number]
        block.insert(bisect_left(block, (value, place), key=self._key), place)
        for below in self._below[number + 1 :]:
            below.add(place)
        if len(block) > 2 * BLOCK:
            self._split(number)

    def _split(self, number: int) -> None:
        block = self._blocks[number]
        low, high = block[:BLOCK], block[BLOCK:]
        self._blocks[number : number + 1] = [low, high]
        self._starts.insert(number + 1, self._key(high[0]))
        self._below.insert(number + 1, Bits(low, base=self._below[number]))
