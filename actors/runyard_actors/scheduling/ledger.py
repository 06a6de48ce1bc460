"""The ledger of one node: what it has, what runs hold of it, and what would still fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runyard_actors.request import WHOLE, Request
from runyard_actors.run import Placement
from runyard_actors.scheduling.node import GpuFree, GpuSpec, NodeFree, NodeSpec


@dataclass(slots=True)
class GpuLedger:
    """One GPU: its size, and what is free of it."""

    index: int
    total_memory: int
    free_milli: int
    free_memory: int

    @property
    def is_unused(self) -> bool:
        """Whether no run holds any of it."""
        return self.free_milli == WHOLE and self.free_memory == self.total_memory

    def holds_share(self, request: Request) -> bool:
        """Whether the share and the memory that a request asks of one GPU are free."""
        return not (
            0 < request.gpu_milli > self.free_milli or 0 < request.gpu_memory_bytes > self.free_memory
        )


class NodeLedger:
    """Exact free amounts of one node. `guard` holds new starts and says why.

    A dimension that a request does not ask for never stands in its way, even where adopted runs hold too much.
    """

    __slots__ = ("_plain", "free_cpu", "free_memory", "gpus", "guard", "spec")

    def __init__(self, spec: NodeSpec) -> None:
        self.spec = spec
        self.free_cpu = spec.cpu_milli
        self.free_memory = spec.memory_bytes
        self.gpus = [_fresh(gpu) for gpu in spec.gpus]
        self.guard: str | None = None
        self._plain = Placement(node=spec.name)

    def could_hold(self, request: Request) -> bool:
        """Whether the request would fit if the node were empty."""
        spec = self.spec
        if request.cpu_milli > spec.cpu_milli or request.memory_bytes > spec.memory_bytes:
            return False
        if not request.needs_gpu:
            return True
        large = sum(gpu.memory_bytes >= request.gpu_memory_bytes for gpu in spec.gpus)
        return large >= max(1, request.whole_gpus)

    def fit(self, request: Request) -> tuple[int, ...] | None:
        """Return the GPUs the request would take here now, or None if it does not fit or starts are held."""
        return None if self.guard is not None else self.fit_beside_guard(request)

    def fit_beside_guard(self, request: Request) -> tuple[int, ...] | None:
        """Return the GPUs the request would take here if starts were not held, or None if it does not fit."""
        if 0 < request.cpu_milli > self.free_cpu or 0 < request.memory_bytes > self.free_memory:
            return None
        if not request.needs_gpu:
            return ()
        return self.fit_gpus(request, self.gpus)

    @staticmethod
    def fit_gpus(request: Request, gpus: Sequence[GpuLedger]) -> tuple[int, ...] | None:
        """Choose among `gpus`: wholly unused ones for whole GPUs, else the fullest one that still fits."""
        if request.whole_gpus:
            unused = [g for g in gpus if g.is_unused and g.total_memory >= request.gpu_memory_bytes]
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
        self._move(request, placement, -1)

    def give(self, request: Request, placement: Placement) -> None:
        """Free what a run held."""
        self._move(request, placement, +1)

    def free(self) -> NodeFree:
        """Return what is free."""
        gpus = tuple(
            GpuFree(index=g.index, milli=g.free_milli, memory_bytes=g.free_memory) for g in self.gpus
        )
        return NodeFree(cpu_milli=self.free_cpu, memory_bytes=self.free_memory, gpus=gpus)

    def _move(self, request: Request, placement: Placement, sign: int) -> None:
        self.free_cpu += sign * request.cpu_milli
        self.free_memory += sign * request.memory_bytes
        for gpu in self.gpus if placement.gpu_indexes else ():
            if gpu.index in placement.gpu_indexes:
                is_whole = bool(request.whole_gpus)
                gpu.free_milli += sign * (WHOLE if is_whole else request.gpu_milli)
                gpu.free_memory += sign * (gpu.total_memory if is_whole else request.gpu_memory_bytes)


def _fresh(gpu: GpuSpec) -> GpuLedger:
    return GpuLedger(gpu.index, gpu.memory_bytes, WHOLE, gpu.memory_bytes)
