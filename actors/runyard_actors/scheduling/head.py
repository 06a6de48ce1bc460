"""The head: the first run in the queue that no node has room for, and what is kept for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from runyard_actors.scheduling.ledger import NodeLedger
from runyard_actors.scheduling.line import Entry, Line
from runyard_actors.scheduling.node_group import NodeGroup
from runyard_actors.scheduling.reservation import Reservation, reserve


@dataclass(slots=True, eq=False)
class Head:
    """A blocked run that no run of its priority, or a lower one, may delay.

    Room is kept for it on one node, and a slot of its module and of its batch. `able` are the nodes that could hold
    it when empty; `untested` those on which something became free since it was last tried.
    """

    entry: Entry
    line: Line
    able: Sequence[NodeGroup]
    untested: dict[NodeLedger, None] = field(default_factory=dict)
    reservation: Reservation | None = None

    @property
    def priority(self) -> int:
        """The run's priority."""
        return self.entry.run.priority

    @property
    def has_slots(self) -> bool:
        """Whether it waits for nothing but resources."""
        batch = self.entry.batch
        return self.entry.module.has_room() and (batch is None or batch.semaphore.has_room())

    def keep(self) -> Reservation:
        """Return the room kept; it is chosen when first asked for, and then stays."""
        if self.reservation is None:
            self.reservation = reserve(self.entry.run.request, self.able)
        return self.reservation

    def could_start(self, nodes: dict[str, NodeLedger]) -> bool:
        """Whether it would fit, once all runs ended, where room is kept for it, or else on any node."""
        request, room = self.entry.run.request, self.reservation
        if room is not None and (ledger := nodes.get(room.node)):
            return room.can_be_met(ledger)
        return any(each.could_hold_now(request) for group in self.able for each in group.ledgers)

    def renew(self, able: Sequence[NodeGroup], nodes: dict[str, NodeLedger]) -> None:
        """The nodes are others than before; room that can no longer be kept is chosen anew."""
        self.able, self.untested = able, dict.fromkeys(nodes.values())
        room = self.reservation
        if room is not None and not ((ledger := nodes.get(room.node)) and room.is_on(ledger.spec)):
            self.reservation = None

    def test(self) -> tuple[NodeLedger, tuple[int, ...]] | None:
        """Return where it fits now, and on which GPUs; None if that is nowhere."""
        untested, self.untested = self.untested, {}
        for ledger in untested:
            gpus = ledger.fit(self.entry.run.request)
            if gpus is not None:
                return ledger, gpus
        return None
