"""Offers: nodes on which something became free, until no blocked shape fits there any more."""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace

from runyard_actors.scheduling.ledger import NodeLedger
from runyard_actors.scheduling.line import Shape
from runyard_actors.scheduling.order import Key
from runyard_actors.scheduling.reservation import Reservation
from runyard_actors.scheduling.room import Room
from runyard_actors.scheduling.shape_index import ShapeIndex

#: Before all keys.
FIRST: Key = ()


class Offers:
    """The open nodes, by the key of the first shape that fits, as far as it is known; it is never behind that."""

    def __init__(self) -> None:
        self._open: dict[str, NodeLedger] = {}
        self._heap: list[tuple[Key, int, NodeLedger]] = []
        self._tie = 0

    def open(self, ledger: NodeLedger) -> None:
        """Something became free on a node."""
        self._open[ledger.spec.name] = ledger
        self._push(FIRST, ledger)

    def clear(self) -> None:
        """Nothing is open."""
        self._open.clear()
        self._heap.clear()

    def first(self, blocked: ShapeIndex, kept: Reservation | None) -> tuple[Shape, NodeLedger] | None:
        """Return the first blocked shape that fits on an open node beside what is kept, and that node."""
        heap = self._heap
        while heap:
            key, _, ledger = heap[0]
            name = ledger.spec.name
            if self._open.get(name) is not ledger:
                heappop(heap)
                continue
            # What holds starts tells when it lets them go on.
            shape = blocked.first_fit(Room(ledger, kept)) if ledger.guard is None else None
            if shape is None:
                heappop(heap)
                del self._open[name]
                continue
            if shape.bound == key or len(heap) == 1:
                return shape, ledger
            self._tie += 1
            heapreplace(heap, (shape.bound, self._tie, ledger))
        return None

    def _push(self, key: Key, ledger: NodeLedger) -> None:
        self._tie += 1
        heappush(self._heap, (key, self._tie, ledger))
