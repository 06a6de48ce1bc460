"""The reservation: what the head of the queue waits for on one node is not given away under its eyes.

No durations are needed. In a dimension where the head fits beside everything that runs now, others may take what
is left over; in one where it does not, whatever another run took could be what delays it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runyard_actors.request import WHOLE, Request
from runyard_actors.scheduling.ledger import GpuLedger, NodeLedger
from runyard_actors.scheduling.node import NodeSpec

if TYPE_CHECKING:
    from runyard_actors.scheduling.node_group import NodeGroup

#: More than any shortfall: a node whose starts are held is the last choice.
HELD = 1_000_000.0

#: More than any shortfall: a run without a GPU waits on a node with some only if no other could hold it. Otherwise
#: the GPUs would stand idle beside the CPUs that are kept.
WITH_GPUS = 1_000.0

#: More still: a node on which only other programs' end would make room.
OUTSIDE = 2 * HELD


@dataclass(frozen=True, slots=True)
class Reservation:
    """Room kept on one node, and on some of its GPUs, for a run that waits for it."""

    request: Request
    node: str
    gpu_indexes: tuple[int, ...]

    def fit(self, ledger: NodeLedger, request: Request) -> tuple[int, ...] | None:
        """Return the GPUs another run may take on the reserved node without delaying the head, or None."""
        head = self.request
        if 0 < request.cpu_milli > ledger.free_cpu - head.cpu_milli:
            return None
        if 0 < request.memory_bytes > ledger.room_memory - head.memory_bytes:
            return None
        if not request.needs_gpu:
            return ()
        return ledger.fit_gpus(request, [g for g in ledger.gpus if self._leaves_enough(g, request)])

    def can_be_met(self, ledger: NodeLedger) -> bool:
        """Whether the head would fit there, and on these GPUs, once all runs ended."""
        gpus = (gpu for gpu in ledger.gpus if gpu.index in self.gpu_indexes)
        return ledger.could_hold_now(self.request) and all(gpu.could_hold_now(self.request) for gpu in gpus)

    def is_on(self, spec: NodeSpec) -> bool:
        """Whether this is the node, and it has CPUs, memory and the GPUs, large enough."""
        request = self.request
        if (
            spec.name != self.node
            or request.cpu_milli > spec.cpu_milli
            or request.memory_bytes > spec.memory_bytes
        ):
            return False
        large = {gpu.index for gpu in spec.gpus if gpu.memory_bytes >= request.gpu_memory_bytes}
        return large.issuperset(self.gpu_indexes)

    def _leaves_enough(self, gpu: GpuLedger, request: Request) -> bool:
        head = self.request
        if gpu.index not in self.gpu_indexes:
            return True
        if head.whole_gpus or request.whole_gpus:
            return False
        if 0 < request.gpu_milli > gpu.free_milli - head.gpu_milli:
            return False
        return not 0 < request.gpu_memory_bytes > gpu.room_memory - head.gpu_memory_bytes


def reserve(request: Request, able: Iterable[NodeGroup]) -> Reservation:
    """Keep room on the node that lacks the least of the request, of those that could hold it when empty.

    One that may start runs goes before one whose starts are held, or whose memory other programs hold; for a run
    without a GPU, a node without any goes before one with some.
    """
    best, least = None, math.inf
    hopeful = sorted([(_least(group, request), i, group) for i, group in enumerate(able)])
    for bound, _, group in hopeful:
        if bound >= least:
            break
        group.tighten()
        idle_gpus = WITH_GPUS if group.ledgers[0].gpus and not request.needs_gpu else 0.0
        for ledger, lacking in zip(group.ledgers, _shortfalls(group.ledgers, request), strict=True):
            lacks = lacking + idle_gpus
            if lacks < least:
                lacks += HELD * (ledger.guard is not None) + OUTSIDE * (not ledger.could_hold_now(request))
            if lacks < least:
                best, least = ledger, lacks
    if best is None:
        raise ValueError("no node could hold it")
    return Reservation(request, best.spec.name, _reserved_gpus(best, request))


def _least(group: NodeGroup, request: Request) -> float:
    """Return what any node of a group lacks at the least."""
    has_idle_gpus = bool(group.ledgers[0].gpus) and not request.needs_gpu
    return group.shortfall(request) + (WITH_GPUS if has_idle_gpus else 0.0)


def _shortfalls(ledgers: Sequence[NodeLedger], request: Request) -> list[float]:
    """Return how much is missing on each of some nodes of one size, as the sum of shares of what a node has."""
    spec, cpu, memory = ledgers[0].spec, request.cpu_milli, request.memory_bytes
    per_cpu, per_byte = 1 / max(1, spec.cpu_milli), 1 / max(1, spec.memory_bytes)
    # Asked of many nodes for every head, so it does without calls and without a look at what is not missing.
    lacks = [
        (per_cpu * (cpu - ledger.free_cpu) if cpu > ledger.free_cpu else 0.0)
        + (per_byte * (memory - ledger.room_memory) if memory > ledger.room_memory else 0.0)
        for ledger in ledgers
    ]
    if request.needs_gpu:
        return [each + _gpus_shortfall(ledger, request) for each, ledger in zip(lacks, ledgers, strict=True)]
    return lacks


def _gpus_shortfall(ledger: NodeLedger, request: Request) -> float:
    shortfalls = sorted(_gpu_shortfall(gpu, request) for gpu in ledger.gpus)
    return sum(shortfalls[: max(1, request.whole_gpus)])


def _reserved_gpus(ledger: NodeLedger, request: Request) -> tuple[int, ...]:
    if not request.needs_gpu:
        return ()
    able = [g for g in ledger.gpus if g.total_memory >= request.gpu_memory_bytes]
    able.sort(key=lambda gpu: (not gpu.could_hold_now(request), _gpu_shortfall(gpu, request), gpu.index))
    return tuple(gpu.index for gpu in able[: max(1, request.whole_gpus)])


def _gpu_shortfall(gpu: GpuLedger, request: Request) -> float:
    if request.gpu_milli >= WHOLE:
        return 2.0 - gpu.free_milli / WHOLE - gpu.free_memory / max(1, gpu.total_memory)
    lacks = 0.0
    if request.gpu_milli > gpu.free_milli:
        lacks += (request.gpu_milli - gpu.free_milli) / WHOLE
    if request.gpu_memory_bytes > gpu.room_memory:
        lacks += (request.gpu_memory_bytes - gpu.room_memory) / max(1, gpu.total_memory)
    return lacks
