"""The ledger of one node: what it has, what runs hold of it, and what would still fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from runyard_actors.request import WHOLE, Request
from runyard_actors.run import Placement
from runyard_actors.scheduling.node import GpuFree, GpuSpec, Measured, NodeFree, NodeSpec, Use

#: What is truly free of a memory that was not measured: more than any request.
UNMEASURED: Final = 1 << 100


@dataclass(slots=True)
class GpuLedger:
    """One GPU: its size, and what is free of it. `spare_memory`: what no run has declared of what is truly free."""

    index: int
    total_memory: int
    free_milli: int
    free_memory: int
    spare_memory: int
    attainable_memory: int

    @property
    def room_memory(self) -> int:
        """The memory that a run may take."""
        return min(self.free_memory, self.spare_memory)

    @property
    def is_unused(self) -> bool:
        """Whether no run holds any of it."""
        return self.free_milli == WHOLE and self.free_memory == self.total_memory

    def measure(self, free: int | None, held: Iterable[tuple[Request, Placement, Use]]) -> None:
        """Learn what is truly free, None if nobody knows."""
        if free is None:
            self.spare_memory = self.attainable_memory = UNMEASURED
            return
        here = [(request, used) for request, at, used in held if self.index in at.gpu_indexes]
        self.spare_memory = free - sum(
            max(0, request.gpu_memory_bytes - used.gpu_memory_bytes) for request, used in here
        )
        self.attainable_memory = free + sum(used.gpu_memory_bytes for _, used in here)

    def could_hold_now(self, request: Request) -> bool:
        """Whether the memory asked of it would be free with all runs ended."""
        return not request.gpu_memory_bytes or (
            self.attainable_memory >= request.gpu_memory_bytes <= self.total_memory
        )

    def holds_share(self, request: Request) -> bool:
        """Whether the share and the memory that a request asks of one GPU are free."""
        return not (
            0 < request.gpu_milli > self.free_milli
            or 0 < request.gpu_memory_bytes > self.free_memory
            or 0 < request.gpu_memory_bytes > self.spare_memory
        )

    def holds_whole(self, request: Request) -> bool:
        """Whether nobody holds any of it, and it has the memory that is asked of each."""
        return self.is_unused and self.total_memory >= request.gpu_memory_bytes <= max(0, self.spare_memory)


class NodeLedger:
    """Exact free amounts of one node. `guard` holds new starts and says why.

    A dimension that a request does not ask for never stands in its way, even where adopted runs hold too much.

    What other programs use is known once it was measured: `spare_memory` is what is truly free and no run has
    declared; `attainable_memory` is what it would be with all runs ended. A run may take what is free in both books,
    which is `room_memory`. Of its GPUs it knows the most that is free of one, and how many nobody holds anything of.
    """

    __slots__ = (
        "_plain",
        "attainable_memory",
        "free_cpu",
        "free_memory",
        "gpus",
        "guard",
        "most_share",
        "most_vram",
        "room_memory",
        "runs",
        "spare_memory",
        "spec",
        "unused",
    )

    def __init__(self, spec: NodeSpec) -> None:
        self.spec = spec
        self.runs = 0
        self.free_cpu = spec.cpu_milli
        self.free_memory = self.room_memory = spec.memory_bytes
        self.spare_memory = self.attainable_memory = UNMEASURED
        self.gpus = [_fresh(gpu) for gpu in spec.gpus]
        self.guard: str | None = None
        self._plain = Placement(node=spec.name)
        self.count_room()

    def copy(self) -> NodeLedger:
        """Return a ledger of its own with the same in it."""
        copy = NodeLedger(self.spec)
        copy.runs, copy.free_cpu, copy.free_memory = self.runs, self.free_cpu, self.free_memory
        copy.gpus = [replace(gpu) for gpu in self.gpus]
        copy.inherit(self)
        return copy

    def inherit(self, before: NodeLedger) -> None:
        """Go on with what was told of the node; only its capacity is another."""
        self.guard = before.guard
        self.spare_memory, self.attainable_memory = before.spare_memory, before.attainable_memory
        known = {gpu.index: gpu for gpu in before.gpus}
        for gpu in self.gpus:
            if (other := known.get(gpu.index)) is not None:
                gpu.spare_memory, gpu.attainable_memory = other.spare_memory, other.attainable_memory
        self.count_room()

    def measure(self, measured: Measured, held: Sequence[tuple[Request, Placement, Use]]) -> None:
        """Learn what is truly free. What the runs here declared and have not used is not."""
        self.spare_memory = measured.memory_bytes - sum(
            max(0, request.memory_bytes - used.memory_bytes) for request, _, used in held
        )
        self.attainable_memory = measured.memory_bytes + sum(used.memory_bytes for _, _, used in held)
        free_of_gpus = dict(zip((gpu.index for gpu in self.gpus), measured.gpu_memory_bytes, strict=False))
        for gpu in self.gpus:
            gpu.measure(free_of_gpus.get(gpu.index), held)
        self.count_room()

    def could_hold(self, request: Request) -> bool:
        """Whether the request would fit if the node were empty."""
        spec = self.spec
        if request.node and not spec.is_meant(request.node):
            return False
        if request.cpu_milli > spec.cpu_milli or request.memory_bytes > spec.memory_bytes:
            return False
        if not request.needs_gpu:
            return True
        large = sum(gpu.memory_bytes >= request.gpu_memory_bytes for gpu in spec.gpus)
        return large >= max(1, request.whole_gpus)

    def could_hold_now(self, request: Request) -> bool:
        """Whether the request, which it could hold when empty, would fit beside other programs with all runs ended."""
        if request.memory_bytes > max(0, self.attainable_memory):
            return False
        if not request.gpu_memory_bytes:
            return True
        large = sum(gpu.could_hold_now(request) for gpu in self.gpus)
        return large >= max(1, request.whole_gpus)

    def fit(self, request: Request) -> tuple[int, ...] | None:
        """Return the GPUs the request would take here now, or None if it does not fit or starts are held."""
        return None if self.guard is not None else self.fit_beside_guard(request)

    def fit_beside_guard(self, request: Request) -> tuple[int, ...] | None:
        """Return the GPUs the request would take here if starts were not held, or None if it does not fit."""
        if 0 < request.cpu_milli > self.free_cpu or 0 < request.memory_bytes > self.room_memory:
            return None
        if request.node and not self.spec.is_meant(request.node):
            return None
        if not request.needs_gpu:
            return ()
        return self.fit_gpus(request, self.gpus)

    @staticmethod
    def fit_gpus(request: Request, gpus: Sequence[GpuLedger]) -> tuple[int, ...] | None:
        """Choose among `gpus`: wholly unused ones for whole GPUs, else the fullest one that still fits."""
        if request.whole_gpus:
            unused = [g for g in gpus if g.holds_whole(request)]
            unused.sort(key=lambda g: (g.total_memory, g.index))
            chosen = tuple(g.index for g in unused[: request.whole_gpus])
            return chosen if len(chosen) == request.whole_gpus else None
        fitting = [g for g in gpus if g.holds_share(request)]
        if not fitting:
            return None
        return (min(fitting, key=lambda g: (g.free_milli, g.free_memory, g.index)).index,)

    def placement(self, gpu_indexes: tuple[int, ...]) -> Placement:
        """Return the placement of a run here; those without a GPU share one."""
        return Placement(node=self.spec.name, gpu_indexes=gpu_indexes) if gpu_indexes else self._plain

    def take(self, request: Request, placement: Placement) -> None:
        """Hold what a run declares."""
        self.runs += 1
        self.free_cpu -= request.cpu_milli
        self.free_memory -= request.memory_bytes
        self.spare_memory -= request.memory_bytes
        self.room_memory = min(self.free_memory, self.spare_memory)
        if placement.gpu_indexes:
            self._move_gpus(request, placement, -1, request.gpu_memory_bytes)

    def give(self, request: Request, placement: Placement, used: Use) -> None:
        """Free what a run held: what it declared, or of what is truly free what it `used`, if that was more."""
        self.runs -= 1
        self.free_cpu += request.cpu_milli
        self.free_memory += request.memory_bytes
        self.spare_memory += max(request.memory_bytes, used.memory_bytes)
        self.room_memory = min(self.free_memory, self.spare_memory)
        if placement.gpu_indexes:
            self._move_gpus(request, placement, +1, max(request.gpu_memory_bytes, used.gpu_memory_bytes))

    def free(self) -> NodeFree:
        """Return what is not declared."""
        gpus = tuple(
            GpuFree(index=g.index, milli=g.free_milli, memory_bytes=g.free_memory) for g in self.gpus
        )
        return NodeFree(cpu_milli=self.free_cpu, memory_bytes=self.free_memory, gpus=gpus)

    def count_room(self) -> None:
        """Find anew what a run may take at most of memory, and of the GPUs."""
        self.room_memory = min(self.free_memory, self.spare_memory)
        # Never below zero: what is not asked for does not stand in the way, even where adopted runs hold too much.
        self.most_share = max([0, *[gpu.free_milli for gpu in self.gpus]])
        self.most_vram = max([0, *[gpu.room_memory for gpu in self.gpus]])
        self.unused = sum([gpu.is_unused for gpu in self.gpus])

    def _move_gpus(self, request: Request, placement: Placement, sign: int, spare: int) -> None:
        is_whole = bool(request.whole_gpus)
        for gpu in self.gpus:
            if gpu.index in placement.gpu_indexes:
                gpu.free_milli += sign * (WHOLE if is_whole else request.gpu_milli)
                gpu.free_memory += sign * (gpu.total_memory if is_whole else request.gpu_memory_bytes)
                gpu.spare_memory += sign * spare
        self.count_room()


def _fresh(gpu: GpuSpec) -> GpuLedger:
    return GpuLedger(gpu.index, gpu.memory_bytes, WHOLE, gpu.memory_bytes, UNMEASURED, UNMEASURED)
