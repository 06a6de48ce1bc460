"""A second, naive opinion on what fits: everything is summed up from scratch each time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from runyard_actors.request import Request
from runyard_actors.run import Placement, RunId
from runyard_actors.scheduling.node import NodeSpec

Held = tuple[Request, Placement]


#: More than any request: what is truly free where nobody measured it.
PLENTY = 10**30


#: The nodes of a history that are labelled, and which of its nodes the selectors mean.
LABELS = {"a": (("zone", "x"),), "b": (("zone", "x"),)}
MEANT = {"zone=x": ("a", "b"), "zone!=x": ("c",)}


@dataclass
class TrulyFree:
    """What was measured on a node, and who was active there then and is since; in bytes, GPUs by their index."""

    memory: int
    gpus: dict[int, int | None]
    used: dict[RunId, tuple[int, int]]
    at: dict[RunId, Placement]

    def end(self, run_id: RunId) -> None:
        """A run that was measured ended: what it used is free."""
        placement = self.at.pop(run_id, None)
        memory, of_gpu = self.used.pop(run_id, (0, 0))
        if placement is not None:
            self.memory += memory
            for index in placement.gpu_indexes:
                if (free := self.gpus.get(index)) is not None:
                    self.gpus[index] = free + of_gpu

    def spare(self, active: Mapping[RunId, Held]) -> tuple[int, dict[int, int]]:
        """Return what is free, and of each GPU, when the active runs here take what they declared."""
        memory = self.memory
        gpus = {index: PLENTY if free is None else free for index, free in self.gpus.items()}
        for run_id, (request, placement) in active.items():
            used, of_gpu = self.used.get(run_id, (0, 0))
            memory -= max(0, request.memory_bytes - used)
            for index in placement.gpu_indexes:
                if index in gpus:
                    gpus[index] -= max(0, request.gpu_memory_bytes - of_gpu)
        return memory, gpus

    def with_all_ended(self) -> TrulyFree:
        """Return what would be free if all that were measured had ended."""
        ended = replace(self, gpus=dict(self.gpus), used=dict(self.used), at=dict(self.at))
        for run_id in self.at:
            ended.end(run_id)
        return ended


@dataclass
class Left:
    """What a node has left; `gpus` maps an index to its share, memory and size, and what is truly free of it."""

    cpu: int
    memory: int
    gpus: dict[int, tuple[int, int, int, int]]
    node: str


def left(spec: NodeSpec, held: Iterable[Held], spare: tuple[int, dict[int, int]] = (PLENTY, {})) -> Left:
    """Subtract all that is held on a node from what it has; no more memory is left than is truly free."""
    rest = Left(
        spec.cpu_milli,
        spec.memory_bytes,
        {g.index: (1000, g.memory_bytes, g.memory_bytes, spare[1].get(g.index, PLENTY)) for g in spec.gpus},
        spec.name,
    )
    for request, placement in held:
        if placement.node == spec.name:
            rest.cpu -= request.cpu_milli
            rest.memory -= request.memory_bytes
            for index in placement.gpu_indexes:
                if index in rest.gpus:
                    share, memory, size, truly = rest.gpus[index]
                    whole = request.gpu_milli >= 1000
                    rest.gpus[index] = (
                        share - (1000 if whole else request.gpu_milli),
                        memory - (size if whole else request.gpu_memory_bytes),
                        size,
                        truly,
                    )
    rest.memory = min(rest.memory, spare[0])
    return rest


def fits(request: Request, rest: Left, gpus: Sequence[int] | None = None) -> bool:
    """Whether a request fits into what is left, if `gpus` is given on those alone."""
    if request.node and rest.node not in MEANT.get(request.node, (request.node,)):
        return False
    if request.cpu_milli and request.cpu_milli > rest.cpu:
        return False
    if request.memory_bytes and request.memory_bytes > rest.memory:
        return False
    if not request.needs_gpu:
        return True
    allowed = [g for i, g in rest.gpus.items() if gpus is None or i in gpus]
    if request.gpu_milli >= 1000:
        unused = [
            g for g in allowed if g[0] == 1000 and g[1] == g[2] >= request.gpu_memory_bytes <= max(0, g[3])
        ]
        return len(unused) >= request.gpu_milli // 1000
    return any(
        (not request.gpu_milli or g[0] >= request.gpu_milli)
        and (not request.gpu_memory_bytes or min(g[1], g[3]) >= request.gpu_memory_bytes)
        for g in allowed
    )


def fits_beside(request: Request, head: Request, kept: Placement, rest: Left) -> bool:
    """Whether a request fits on the node that is kept for `head` without taking what it waits for."""
    if request.cpu_milli and request.cpu_milli + head.cpu_milli > rest.cpu:
        return False
    if request.memory_bytes and request.memory_bytes + head.memory_bytes > rest.memory:
        return False
    spared = [i for i, g in rest.gpus.items() if i not in kept.gpu_indexes or _leaves(request, head, g)]
    return fits(request, rest, spared)


def _leaves(request: Request, head: Request, gpu: tuple[int, int, int, int]) -> bool:
    if head.gpu_milli >= 1000 or request.gpu_milli >= 1000:
        return False
    enough_share = not request.gpu_milli or request.gpu_milli + head.gpu_milli <= gpu[0]
    return enough_share and (
        not request.gpu_memory_bytes
        or request.gpu_memory_bytes + head.gpu_memory_bytes <= min(gpu[1], gpu[3])
    )
