"""Order: a heap whose items' keys may grow while they are in it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush, heapreplace
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)

#: Compared element by element; all keys of one order have the same length.
Key = tuple[int, ...]

#: The place of what has no place: behind all others.
NOWHERE: Key = (1 << 62,)


class Order(Generic[Item]):
    """Items by their key, smallest first.

    A key may grow unnoticed, `first` looks again; when it shrinks, `put` must be called. An item that has no key any
    more must be taken out before.
    """

    __slots__ = ("_heap", "_key_of", "_listed", "_tie")

    def __init__(self, key_of: Callable[[Item], Key]) -> None:
        self._key_of = key_of
        self._heap: list[tuple[Key, int, Item]] = []
        self._listed: dict[Item, Key] = {}
        self._tie = 0

    def __bool__(self) -> bool:
        return bool(self._listed)

    def __contains__(self, item: Item) -> bool:
        return item in self._listed

    def put(self, item: Item) -> None:
        """List an item at its key of now, or move it there."""
        key = self._key_of(item)
        if self._listed.get(item) != key:
            self._push(item, key)

    def discard(self, item: Item) -> None:
        """Take an item out."""
        self._listed.pop(item, None)

    def first(self) -> Item | None:
        """Return the item with the smallest key, and leave it in."""
        return None if self.least() is NOWHERE else self._heap[0][2]

    def top(self) -> Item:
        """Return the first item as it was when last asked for; no key may have changed since, and there is one."""
        return self._heap[0][2]

    def least(self) -> Key:
        """Return the key of the first item; `NOWHERE` if there is none."""
        heap, listed = self._heap, self._listed
        while heap:
            key, _, item = heap[0]
            if listed.get(item) is not key:
                heappop(heap)
                continue
            now = self._key_of(item)
            if now == key:
                return key
            listed[item] = now
            self._tie += 1
            heapreplace(heap, (now, self._tie, item))
            if heap[0][0] is now:
                return now
        return NOWHERE

    def _push(self, item: Item, key: Key) -> None:
        self._listed[item] = key
        self._tie += 1
        heappush(self._heap, (key, self._tie, item))
        if len(self._heap) > 2 * len(self._listed) + 8:
            self._sweep()

    def _sweep(self) -> None:
        """Drop what was moved or taken out; it would pile up below a first item that stays."""
        self._heap = [each for each in self._heap if self._listed.get(each[2]) is each[0]]
        heapify(self._heap)
