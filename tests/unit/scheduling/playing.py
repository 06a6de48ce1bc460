"""What histories of the core are written with."""

from __future__ import annotations

from typing import Any

from runyard_actors.request import Request
from runyard_actors.run import BatchId, BatchSpec, Placement, RunId
from runyard_actors.scheduling.core import Core, Drop, QueuedRun, Start
from runyard_actors.scheduling.decision import Gates
from runyard_actors.scheduling.node import GpuSpec, NodeSpec

GIB = 2**30


def node(name: str = "ws1", *, cpus: float = 8, gib: float = 32, gpus: tuple[float, ...] = ()) -> NodeSpec:
    """A node; `gpus` are the GiB of each."""
    specs = tuple(GpuSpec(index=i, memory_bytes=int(size * GIB)) for i, size in enumerate(gpus))
    return NodeSpec(name=name, cpu_milli=int(cpus * 1000), memory_bytes=int(gib * GIB), gpus=specs)


def request(
    *, cpus: float = 0, gib: float = 0, gpus: float = 0, gpu_gib: float = 0, node: str = ""
) -> Request:
    """A request in CPUs, GiB and GPUs."""
    return Request(
        cpu_milli=int(cpus * 1000),
        memory_bytes=int(gib * GIB),
        gpu_milli=int(gpus * 1000),
        gpu_memory_bytes=int(gpu_gib * GIB),
        node=node,
    )


def run(
    name: str,
    *,
    cpus: float = 1,
    gib: float = 0,
    gpus: float = 0,
    gpu_gib: float = 0,
    node: str = "",
    module: str = "m",
    batch: str | None = None,
    priority: int = 0,
    after: tuple[str, ...] = (),
    gates: Gates | None = None,
) -> QueuedRun:
    """A run to queue."""
    return QueuedRun(
        run_id=RunId(name),
        request=request(cpus=cpus, gib=gib, gpus=gpus, gpu_gib=gpu_gib, node=node),
        module_id=module,
        batch_id=BatchId(batch) if batch else None,
        priority=priority,
        after=tuple(RunId(each) for each in after),
        gates=gates,
    )


def gates(*, after_any: tuple[str, ...] = (), after_failed: tuple[str, ...] = (), **more: Any) -> Gates:
    """What else a run waits for."""
    return Gates(after_any=tuple(map(RunId, after_any)), after_failed=tuple(map(RunId, after_failed)), **more)


def batch(name: str, *, max_concurrent: int | None = None, max_failures: int | None = None) -> BatchSpec:
    """A batch."""
    return BatchSpec(batch_id=BatchId(name), max_concurrent=max_concurrent, max_failures=max_failures)


class Play:
    """A core with its history so far."""

    def __init__(self, *nodes: NodeSpec, slots: int = 100) -> None:
        self.core = Core(max_concurrent_runs=slots)
        for each in nodes:
            self.core.on_node(each)

    def submit(self, *runs: QueuedRun, batch: BatchSpec | None = None) -> list[str]:
        """Submit and return who starts."""
        self.core.on_submitted(runs, batch)
        return self.starts()

    def starts(self) -> list[str]:
        """Decide, and return who starts."""
        return [str(run_id) for run_id in self.placements()]

    def placements(self) -> dict[RunId, Placement]:
        """Decide, and return who starts where."""
        return {d.run_id: d.placement for d in self.core.decide() if isinstance(d, Start)}

    def drops(self) -> dict[str, Drop]:
        """Decide, and return who is dropped."""
        return {str(d.run_id): d for d in self.core.decide() if isinstance(d, Drop)}

    def end(self, *names: str, succeeded: bool = True, retry: bool = False) -> list[str]:
        """End runs and return who starts."""
        for name in names:
            self.core.on_ended(RunId(name), succeeded=succeeded, retry=retry)
        return self.starts()

    def why(self, name: str) -> str | None:
        """What a run waits for."""
        return self.core.waiting_for(RunId(name))
