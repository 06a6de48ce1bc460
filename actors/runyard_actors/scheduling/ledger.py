"""The ledger of one node: what it has, what runs hold of it, and what would still fit."""

from __future__ import annotations

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


class NodeLedger:
    """Exact free amounts of one node. `guard` holds new starts and says why."""

    def __init__(self, spec: NodeSpec) -> None:
        self.spec = spec
        self.free_cpu = spec.cpu_milli
        self.free_memory = spec.memory_bytes
        self.gpus = [_fresh(gpu) for gpu in spec.gpus]
        self.guard: str | None = None

    def fit(self, request: Request) -> tuple[int, ...] | None:
        """Return the GPUs the request would take here now, or None if it does not fit."""
        if 0 < request.cpu_milli > self.free_cpu or 0 < request.memory_bytes > self.free_memory:
            return None
        if not request.needs_gpu:
            return ()
        return self.fit_gpus(request, self.gpus)

    @staticmethod
    def fit_gpus(request: Request, gpus: list[GpuLedger]) -> tuple[int, ...] | None:
        """Choose among `gpus`: wholly unused ones for whole GPUs, else the fullest one that still fits."""
        if request.whole_gpus:
            unused = [g.index for g in gpus if g.is_unused and g.total_memory >= request.gpu_memory_bytes]
            return tuple(unused[: request.whole_gpus]) if len(unused) >= request.whole_gpus else None
        fitting = [
            g for g in gpus if g.free_milli >= request.gpu_milli and g.free_memory >= request.gpu_memory_bytes
        ]
        if not fitting:
            return None
        return (min(fitting, key=lambda g: (g.free_milli, g.free_memory, g.index)).index,)

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


def fits_when_empty(spec: NodeSpec, request: Request) -> bool:
    """Whether a node could hold the request with nothing else on it."""
    return NodeLedger(spec).fit(request) is not None


def _fresh(gpu: GpuSpec) -> GpuLedger:
    return GpuLedger(gpu.index, gpu.memory_bytes, WHOLE, gpu.memory_bytes)
