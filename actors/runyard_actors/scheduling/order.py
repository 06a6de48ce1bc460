"""Order: a heap whose items' keys may change while they are in it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush, heapreplace
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)

#: Compared element by element; all keys of one order have the same length.
Key = tuple[int, ...]


class Order(Generic[Item]):
    """Items by their key, smallest first; an item whose key is None has no place and is left out.

    A key may grow unnoticed, `first` looks again; when it shrinks, `put` must be called.
    """

    __slots__ = ("_heap", "_key_of", "_listed", "_tie")

    def __init__(self, key_of: Callable[[Item], Key | None]) -> None:
        self._key_of = key_of
        self._heap: list[tuple[Key, int, Item]] = []
        self._listed: dict[Item, Key] = {}
        self._tie = 0

    def __bool__(self) -> bool:
        return bool(self._listed)

    def put(self, item: Item) -> None:
        """List an item at its key of now, or move it there."""
        key = self._key_of(item)
        if key is None:
            self._listed.pop(item, None)
        elif self._listed.get(item) != key:
            self._push(item, key)

    def discard(self, item: Item) -> None:
        """Take an item out."""
        self._listed.pop(item, None)

    def first(self) -> Item | None:
        """Return the item with the smallest key, and leave it in."""
        while self._heap:
            key, _, item = self._heap[0]
            if self._listed.get(item) is key:
                now = self._key_of(item)
                if now == key:
                    return item
                if now is None:
                    del self._listed[item]
                else:
                    self._listed[item] = now
                    self._tie += 1
                    heapreplace(self._heap, (now, self._tie, item))
                    continue
            heappop(self._heap)
        return None

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
