"""Room: what is free on one node at one moment, for those who must leave another run its reservation."""

from __future__ import annotations

from runyard_actors.scheduling.ledger import NodeLedger
from runyard_actors.scheduling.line import Shape
from runyard_actors.scheduling.reservation import Reservation


class Room:
    """Bounds of what fits on a node, and the exact answer for a shape.

    CPU and memory are exact. A GPU's share, memory and number are the most of each: what needs a GPU, or one node, is
    asked for.
    """

    __slots__ = ("cpu", "kept", "ledger", "memory", "share", "vram", "whole")

    def __init__(self, ledger: NodeLedger, kept: Reservation | None) -> None:
        self.ledger = ledger
        self.kept = kept if kept is not None and kept.node == ledger.spec.name else None
        cpu, memory = ledger.free_cpu, ledger.room_memory
        if self.kept is not None:
            cpu -= self.kept.request.cpu_milli
            memory -= self.kept.request.memory_bytes
        # What is not asked for never stands in the way, even where more is held than there is.
        self.cpu = max(0, cpu)
        self.memory = max(0, memory)
        self.share, self.vram, self.whole = ledger.most_share, ledger.most_vram, ledger.unused

    def holds(self, shape: Shape) -> bool:
        """Whether a shape within the bounds fits."""
        return not shape.is_particular or self.gpus(shape) is not None

    def gpus(self, shape: Shape) -> tuple[int, ...] | None:
        """Return the GPUs that a shape within the bounds takes here, None if it does not fit."""
        wanted = shape.request.node
        if wanted and not self.ledger.spec.is_meant(wanted):
            return None
        if not shape.needs_gpu:
            return ()
        if shape.share > self.share or shape.vram > self.vram or shape.whole > self.whole:
            return None
        if self.kept is not None:
            return self.kept.fit(self.ledger, shape.request)
        return self.ledger.fit(shape.request)
