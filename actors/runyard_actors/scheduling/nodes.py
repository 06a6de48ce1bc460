"""All nodes' ledgers, and where among them a shape fits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isqrt

from runyard_actors.request import Request
from runyard_actors.run import Placement
from runyard_actors.scheduling.ledger import NodeLedger
from runyard_actors.scheduling.line import Shape
from runyard_actors.scheduling.node import Measured, NodeSpec, Use
from runyard_actors.scheduling.node_group import Found, NodeGroup
from runyard_actors.scheduling.reservation import Reservation
from runyard_actors.scheduling.room import Room


class Nodes:
    """The nodes, those with the fewest GPUs first, so that runs without one leave GPU nodes to others.

    `freed` collects the nodes on which something became free since it was last looked at.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, NodeLedger] = {}
        self.in_order: list[NodeLedger] = []
        self.freed: dict[NodeLedger, None] = {}
        self._groups: list[NodeGroup] = []
        self._group_of: dict[str, NodeGroup] = {}
        #: Nodes that runs asked for, by the name or selector they did it with, and those groups that each node is in.
        self._chosen: dict[str, Sequence[NodeGroup]] = {}
        self._chosen_with: dict[str, list[NodeGroup]] = {}

    def put(self, spec: NodeSpec, held: Iterable[tuple[Request, Placement, Use]]) -> None:
        """Add a node, or change its capacity, with what is held on it already."""
        ledger = NodeLedger(spec)
        for request, placement, _ in held:
            ledger.take(request, placement)
        if spec.name in self.by_name:
            ledger.inherit(self.by_name[spec.name])
        self.by_name[spec.name] = ledger
        self._renew()

    def copy(self) -> Nodes:
        """Return books of their own with the same in them."""
        copy = Nodes()
        copy.by_name = {name: ledger.copy() for name, ledger in self.by_name.items()}
        copy._renew()
        return copy

    def drop(self, name: str) -> None:
        """Forget a node."""
        self.by_name.pop(name, None)
        self._renew()

    def guard(self, name: str, why: str | None) -> None:
        """Hold new starts on a node, or let them go on."""
        ledger = self.by_name.get(name)
        if ledger is not None:
            ledger.guard = why
            self.freed[ledger] = None

    def measure(self, name: str, measured: Measured, held: Sequence[tuple[Request, Placement, Use]]) -> None:
        """Learn what is truly free on a node, and what those that it holds used."""
        if ledger := self.by_name.get(name):
            ledger.measure(measured, held)
            self.note_freed(ledger)

    def take(self, request: Request, placement: Placement) -> None:
        """Hold what a run declares, if its node is there."""
        if ledger := self.by_name.get(placement.node):
            ledger.take(request, placement)

    def give(self, request: Request, placement: Placement, used: Use) -> None:
        """Free what a run held, if its node is there; it `used` that much of its memory."""
        if ledger := self.by_name.get(placement.node):
            ledger.give(request, placement, used)
            self.note_freed(ledger)

    def note_freed(self, ledger: NodeLedger) -> None:
        """Something became free on a node."""
        self.freed[ledger] = None
        name = ledger.spec.name
        self._group_of[name].widen(ledger)
        for group in self._chosen_with.get(name, ()):
            group.widen(ledger)

    def able(self, request: Request) -> Sequence[NodeGroup]:
        """Return the groups of nodes that could hold a request if they were empty."""
        groups = self._meant(request.node) if request.node else self._groups
        return [group for group in groups if group.could_hold(request)]

    def could_hold_now(self, shape: Shape) -> bool:
        """Whether some node could hold a shape with all runs ended, beside what other programs use."""
        request = shape.request
        if shape.able is None:
            shape.able = self.able(request)
        return any(ledger.could_hold_now(request) for group in shape.able for ledger in group.ledgers)

    def find(self, shape: Shape, kept: Reservation | None) -> Found | None:
        """Return a node on which a shape fits beside what is kept, and the GPUs it takes there; None if on none."""
        if shape.able is None:
            shape.able = self.able(shape.request)
        for group in shape.able:
            found = group.find(shape, kept)
            if found is not None:
                return found
        return None

    @staticmethod
    def fit(ledger: NodeLedger, shape: Shape, kept: Reservation | None) -> Found | None:
        """Return a node and the GPUs that a shape within its bounds takes there; None if it does not fit."""
        if not shape.is_particular:
            return ledger, ()
        gpus = Room(ledger, kept).gpus(shape)
        return None if gpus is None else (ledger, gpus)

    def _meant(self, node: str) -> Sequence[NodeGroup]:
        """Return the nodes that a name or a selector means, in groups of their own; none if they are not there."""
        if node in self._chosen:
            return self._chosen[node]
        by_name = self.by_name.get(node)
        meant = [by_name] if by_name else [each for each in self.in_order if each.spec.is_meant(node)]
        if not meant:
            return ()
        chosen = self._chosen[node] = _grouped(meant)
        for group in chosen:
            for ledger in group.ledgers:
                self._chosen_with.setdefault(ledger.spec.name, []).append(group)
        return chosen

    def _renew(self) -> None:
        self._chosen.clear()
        self._chosen_with.clear()
        self.in_order = sorted(self.by_name.values(), key=lambda ledger: len(ledger.spec.gpus))
        self.freed.clear()
        self._groups = _grouped(self.in_order)
        self._group_of = {ledger.spec.name: group for group in self._groups for ledger in group.ledgers}


def _grouped(ledgers: Sequence[NodeLedger]) -> list[NodeGroup]:
    """Put nodes of one size together, in groups that are neither few nor large."""
    alike: dict[object, list[NodeLedger]] = {}
    for ledger in ledgers:
        spec = ledger.spec
        alike.setdefault((spec.cpu_milli, spec.memory_bytes, spec.gpus), []).append(ledger)
    width = max(8, isqrt(len(ledgers)))
    return [NodeGroup(each[i : i + width]) for each in alike.values() for i in range(0, len(each), width)]
