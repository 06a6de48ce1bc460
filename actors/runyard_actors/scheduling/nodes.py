"""All nodes' ledgers, where a run fits among them, and the reservation of the head of the queue."""

from __future__ import annotations

from collections.abc import Sequence

from runyard_actors.request import Request
from runyard_actors.run import Placement, RunId
from runyard_actors.scheduling.decision import QueuedRun
from runyard_actors.scheduling.ledger import NodeLedger
from runyard_actors.scheduling.node import NodeSpec
from runyard_actors.scheduling.reservation import Reservation, reserve


class Nodes:
    """The nodes in order of arrival. Requests that fit nowhere are remembered until something is freed."""

    def __init__(self) -> None:
        self._ledgers: dict[str, NodeLedger] = {}
        self._order: list[NodeLedger] = []
        self._blocked: set[Request] = set()
        self._hints: dict[Request, int] = {}
        self._reservation: Reservation | None = None

    @property
    def ledgers(self) -> Sequence[NodeLedger]:
        """All nodes' ledgers."""
        return self._order

    def ledger(self, name: str) -> NodeLedger:
        """Return one node's ledger."""
        return self._ledgers[name]

    def put(self, spec: NodeSpec, held: Sequence[tuple[Request, Placement]]) -> None:
        """Add a node, or change its capacity, with what is held on it already."""
        guard = self._ledgers[spec.name].guard if spec.name in self._ledgers else None
        ledger = self._ledgers[spec.name] = NodeLedger(spec)
        ledger.guard = guard
        for request, placement in held:
            ledger.take(request, placement)
        self._renew()

    def drop(self, name: str) -> None:
        """Forget a node."""
        self._ledgers.pop(name, None)
        if self._reservation is not None and self._reservation.node == name:
            self._reservation = None
        self._renew()

    def guard(self, name: str, why: str | None) -> None:
        """Hold new starts on a node, or let them go on."""
        ledger = self._ledgers.get(name)
        if ledger is not None:
            ledger.guard = why
            self._blocked.clear()

    def place(self, run: QueuedRun) -> Placement | None:
        """Take resources for a run where it fits now; None if that is nowhere."""
        request, held = run.request, self._reservation
        if held is not None and held.run_id == run.run_id:
            return self._place_reserved(held, request)
        if request in self._blocked:
            return None
        hint, count = self._hints.get(request, 0), len(self._order)
        for step in range(count):
            index = (hint + step) % count
            ledger = self._order[index]
            if ledger.guard is not None:
                continue
            keeps_room = held is not None and held.node == ledger.spec.name
            gpus = held.fit(ledger, request) if held and keeps_room else ledger.fit(request)
            if gpus is not None:
                self._hints[request] = index
                return self._taken(ledger, request, gpus)
        self._blocked.add(request)
        return None

    def reserve_for(self, run: QueuedRun) -> None:
        """Keep room for a run that lacks resources, unless another of its priority or higher has it already."""
        held = self._reservation
        if held is not None and held.priority >= run.priority:
            return
        self._reservation = reserve(run.run_id, run.priority, run.request, self._order)
        self._blocked.clear()

    def release_reservation(self, run_id: RunId) -> None:
        """Give up the room kept for a run that is gone."""
        if self._reservation is not None and self._reservation.run_id == run_id:
            self._reservation = None
            self._blocked.clear()

    def take(self, request: Request, placement: Placement) -> None:
        """Hold resources of a run that is active already."""
        if placement.node in self._ledgers:
            self._ledgers[placement.node].take(request, placement)

    def give(self, request: Request, placement: Placement) -> None:
        """Free what a run held."""
        ledger = self._ledgers.get(placement.node)
        if ledger is None:
            return
        ledger.give(request, placement)
        if self._blocked:
            index = self._order.index(ledger)
            self._hints |= dict.fromkeys(self._blocked, index)
            self._blocked.clear()

    def _place_reserved(self, held: Reservation, request: Request) -> Placement | None:
        """The head may start wherever it fits, its own room included."""
        own = self._ledgers[held.node]
        for ledger in (own, *self._order):
            if ledger.guard is None and (gpus := ledger.fit(request)) is not None:
                self._reservation = None
                self._blocked.clear()
                return self._taken(ledger, request, gpus)
        return None

    @staticmethod
    def _taken(ledger: NodeLedger, request: Request, gpus: tuple[int, ...]) -> Placement:
        placement = Placement(node=ledger.spec.name, gpu_indexes=gpus)
        ledger.take(request, placement)
        return placement

    def _renew(self) -> None:
        self._order = list(self._ledgers.values())
        self._blocked.clear()
        self._hints.clear()
