"""All nodes' ledgers, and on which of them a shape may still fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runyard_actors.request import Request
from runyard_actors.run import Placement
from runyard_actors.scheduling.ledger import NodeLedger
from runyard_actors.scheduling.line import Shape
from runyard_actors.scheduling.node import NodeSpec


class Nodes:
    """The nodes, those with the fewest GPUs first, so that runs without one leave GPU nodes to others.

    `freed` collects the nodes on which something became free since it was last looked at.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, NodeLedger] = {}
        self.in_order: list[NodeLedger] = []
        self.freed: dict[str, NodeLedger] = {}

    def put(self, spec: NodeSpec, held: Iterable[tuple[Request, Placement]]) -> None:
        """Add a node, or change its capacity, with what is held on it already."""
        ledger = NodeLedger(spec)
        if spec.name in self.by_name:
            ledger.guard = self.by_name[spec.name].guard
        self.by_name[spec.name] = ledger
        for request, placement in held:
            ledger.take(request, placement)
        self._renew()

    def drop(self, name: str) -> None:
        """Forget a node."""
        self.by_name.pop(name, None)
        self._renew()

    def guard(self, name: str, why: str | None) -> None:
        """Hold new starts on a node, or let them go on."""
        ledger = self.by_name.get(name)
        if ledger is not None:
            ledger.guard = why
            self.freed[name] = ledger

    def take(self, request: Request, placement: Placement) -> None:
        """Hold what a run declares, if its node is there."""
        if ledger := self.by_name.get(placement.node):
            ledger.take(request, placement)

    def give(self, request: Request, placement: Placement) -> None:
        """Free what a run held, if its node is there."""
        if ledger := self.by_name.get(placement.node):
            ledger.give(request, placement)
            self.freed[placement.node] = ledger

    def able(self, request: Request) -> Sequence[NodeLedger]:
        """Return the nodes that could hold a request if they were empty."""
        return [ledger for ledger in self.in_order if ledger.could_hold(request)]

    def candidate(self, shape: Shape) -> NodeLedger | None:
        """Return a node on which the shape may fit; None if it fits on none."""
        if shape.freed:
            return next(iter(shape.freed.values()))
        return self.in_order[shape.cursor] if shape.cursor < len(self.in_order) else None

    def reject(self, shape: Shape) -> None:
        """The candidate did not hold the shape; it will not until something becomes free on it."""
        if shape.freed:
            del shape.freed[next(iter(shape.freed))]
        else:
            shape.cursor += 1

    def _renew(self) -> None:
        self.in_order = sorted(self.by_name.values(), key=lambda ledger: len(ledger.spec.gpus))
        self.freed.clear()
