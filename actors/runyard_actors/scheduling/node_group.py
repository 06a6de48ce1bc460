"""Node group: some nodes of one size, and the most that is free on any of them."""

from __future__ import annotations

from collections.abc import Sequence

from runyard_actors.request import Request
from runyard_actors.scheduling.ledger import NodeLedger
from runyard_actors.scheduling.line import Shape
from runyard_actors.scheduling.reservation import Reservation

Found = tuple[NodeLedger, tuple[int, ...]]


class NodeGroup:
    """Nodes of one size. What is said to be free is never too little, and exact after a search in vain."""

    __slots__ = ("cpu", "ledgers", "memory")

    def __init__(self, ledgers: Sequence[NodeLedger]) -> None:
        self.ledgers = ledgers
        self.cpu = self.memory = 0
        self.tighten()

    def could_hold(self, request: Request) -> bool:
        """Whether the request would fit if the nodes were empty."""
        return self.ledgers[0].could_hold(request)

    def widen(self, ledger: NodeLedger) -> None:
        """Something became free on one of the nodes."""
        if ledger.free_cpu > self.cpu:
            self.cpu = ledger.free_cpu
        if ledger.room_memory > self.memory:
            self.memory = ledger.room_memory

    def shortfall(self, request: Request) -> float:
        """Return the least that any of the nodes may lack of a request, as the sum of shares of what each has."""
        lacks, spec = 0.0, self.ledgers[0].spec
        if request.cpu_milli > self.cpu:
            lacks += (request.cpu_milli - self.cpu) / spec.cpu_milli
        if request.memory_bytes > self.memory:
            lacks += (request.memory_bytes - self.memory) / spec.memory_bytes
        return lacks

    def find(self, shape: Shape, kept: Reservation | None) -> Found | None:
        """Return the first node on which a shape fits beside what is kept, and the GPUs it takes there."""
        if shape.cpu > self.cpu or shape.memory > self.memory:
            return None
        for ledger in self.ledgers:
            if (
                (shape.cpu > ledger.free_cpu and shape.cpu)
                or (shape.memory > ledger.room_memory and shape.memory)
                or ledger.guard is not None
            ):
                continue
            gpus = _gpus(ledger, shape, kept)
            if gpus is not None:
                return ledger, gpus
        self.tighten()
        return None

    def tighten(self) -> None:
        """Find anew what is free at most."""
        self.cpu = max(0, max([ledger.free_cpu for ledger in self.ledgers]))
        self.memory = max(0, max([ledger.room_memory for ledger in self.ledgers]))


def _gpus(ledger: NodeLedger, shape: Shape, kept: Reservation | None) -> tuple[int, ...] | None:
    if shape.share > ledger.most_share or shape.vram > ledger.most_vram or shape.whole > ledger.unused:
        return None
    if kept is not None and kept.node == ledger.spec.name:
        return kept.fit(ledger, shape.request)
    return ledger.fit_gpus(shape.request, ledger.gpus) if shape.needs_gpu else ()
