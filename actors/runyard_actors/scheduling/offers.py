"""Offers: nodes on which something became free, until no blocked shape fits there any more."""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace

from runyard_actors.scheduling.ledger import NodeLedger
from runyard_actors.scheduling.line import Shape
from runyard_actors.scheduling.order import Key
from runyard_actors.scheduling.reservation import Reservation
from runyard_actors.scheduling.shape_index import ShapeIndex

#: Before all keys.
FIRST: Key = ()


class Offers:
    """The open nodes, by the key of the first shape that fits, as far as it is known; it is never behind that."""

    def __init__(self) -> None:
        self._heap: list[tuple[Key, int, NodeLedger]] = []
        #: By which number the entry of an open node in the heap is told from older ones.
        self._current: dict[NodeLedger, int] = {}
        self._number = 0

    def open(self, ledger: NodeLedger) -> None:
        """Something became free on a node."""
        self._number += 1
        self._current[ledger] = self._number
        heappush(self._heap, (FIRST, self._number, ledger))

    def clear(self) -> None:
        """Nothing is open."""
        self._current.clear()
        self._heap.clear()

    def first(self, blocked: ShapeIndex, kept: Reservation | None) -> tuple[Shape, NodeLedger] | None:
        """Return the first blocked shape that fits on an open node beside what is kept, and that node."""
        heap, current = self._heap, self._current
        while heap:
            key, number, ledger = heap[0]
            if current.get(ledger) != number:
                heappop(heap)
                continue
            # What holds starts tells when it lets them go on.
            shape = blocked.first_fit(ledger, kept) if ledger.guard is None else None
            if shape is None:
                heappop(heap)
                del current[ledger]
                continue
            if len(current) == 1 or shape.bound == key:
                return shape, ledger
            heapreplace(heap, (shape.bound, number, ledger))
            if heap[0][2] is ledger:
                return shape, ledger
        return None
