"""Shape index: of all blocked shapes, which is the first in the queue's order that fits into what is free."""

from __future__ import annotations

from typing import Final

from runyard_actors.scheduling.ledger import NodeLedger
from runyard_actors.scheduling.line import Shape
from runyard_actors.scheduling.neighbourhood import neighbourhood
from runyard_actors.scheduling.order import NOWHERE
from runyard_actors.scheduling.reservation import Reservation
from runyard_actors.scheduling.room import Room
from runyard_actors.scheduling.shape_tree import ENDLESS, Branch, Leaf

#: After so many shapes came in for each that is there, and some more, the tree is made anew. What was taken out
#: leaves gaps in it.
RENEWAL: Final = 8


class ShapeIndex:
    """Blocked shapes, to be asked for the first one that fits."""

    def __init__(self) -> None:
        self._root: Leaf | Branch = Leaf()
        self._leaf_of: dict[Shape, Leaf] = {}
        self._came_in = 0
        #: How many shapes ask for more than CPU and memory.
        self._particular = 0

    def __bool__(self) -> bool:
        return bool(self._leaf_of)

    def __contains__(self, shape: Shape) -> bool:
        return shape in self._leaf_of

    def put(self, shape: Shape) -> None:
        """List a shape, or note that its best run is another one than before."""
        key, leaf = shape.key(), self._leaf_of.get(shape)
        if leaf is None:
            shape.bound = key
            self._particular += shape.is_particular
            self._insert(shape)
        elif key < shape.bound:
            shape.bound = key
            leaf.lower_key(key)

    def discard(self, shape: Shape) -> None:
        """Take a shape out."""
        leaf = self._leaf_of.pop(shape, None)
        if leaf is not None:
            self._particular -= shape.is_particular
            leaf.remove(shape)
            if self._came_in > RENEWAL * (len(self._leaf_of) + RENEWAL):
                self._renew()

    def first(self) -> Shape | None:
        """Return the first shape in the queue's order."""
        return self._root.first(ENDLESS, ENDLESS, None, NOWHERE)

    def first_fit(self, ledger: NodeLedger, kept: Reservation | None) -> Shape | None:
        """Return the first shape in the queue's order that there is room for on a node beside what is kept."""
        root, cpu, memory = self._root, ledger.free_cpu, ledger.room_memory
        if kept is not None and kept.node == ledger.spec.name:
            cpu -= kept.request.cpu_milli
            memory -= kept.request.memory_bytes
        # What is not asked for never stands in the way, even where more is held than there is.
        cpu, memory = max(0, cpu), max(0, memory)
        if cpu < root.cpu or memory < root.memory:
            return None
        room = Room(ledger, kept) if self._particular else None
        return root.first(cpu, memory, room, NOWHERE)

    def _insert(self, shape: Shape) -> None:
        self._came_in += 1
        split = self._root.insert(neighbourhood(shape.request), shape, self._leaf_of)
        if split is not None:
            self._root = Branch([self._root, split])

    def _renew(self) -> None:
        shapes = list(self._leaf_of)
        self._root, self._leaf_of, self._came_in = Leaf(), {}, 0
        for shape in shapes:
            self._insert(shape)
