"""A second, naive opinion on what fits: everything is summed up from scratch each time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runyard_actors.request import Request
from runyard_actors.run import Placement
from runyard_actors.scheduling.node import NodeSpec

Held = tuple[Request, Placement]


@dataclass
class Left:
    """What a node has left; `gpus` maps an index to its share, memory and size."""

    cpu: int
    memory: int
    gpus: dict[int, tuple[int, int, int]]


def left(spec: NodeSpec, held: Iterable[Held]) -> Left:
    """Subtract all that is held on a node from what it has."""
    rest = Left(
        spec.cpu_milli,
        spec.memory_bytes,
        {g.index: (1000, g.memory_bytes, g.memory_bytes) for g in spec.gpus},
    )
    for request, placement in held:
        if placement.node == spec.name:
            rest.cpu -= request.cpu_milli
            rest.memory -= request.memory_bytes
            for index in placement.gpu_indexes:
                if index in rest.gpus:
                    share, memory, size = rest.gpus[index]
                    whole = request.gpu_milli >= 1000
                    rest.gpus[index] = (
                        share - (1000 if whole else request.gpu_milli),
                        memory - (size if whole else request.gpu_memory_bytes),
                        size,
                    )
    return rest


def fits(request: Request, rest: Left, gpus: Sequence[int] | None = None) -> bool:
    """Whether a request fits into what is left, if `gpus` is given on those alone."""
    if request.cpu_milli and request.cpu_milli > rest.cpu:
        return False
    if request.memory_bytes and request.memory_bytes > rest.memory:
        return False
    if not request.needs_gpu:
        return True
    allowed = [g for i, g in rest.gpus.items() if gpus is None or i in gpus]
    if request.gpu_milli >= 1000:
        unused = [g for g in allowed if g[0] == 1000 and g[1] == g[2] >= request.gpu_memory_bytes]
        return len(unused) >= request.gpu_milli // 1000
    return any(
        (not request.gpu_milli or g[0] >= request.gpu_milli)
        and (not request.gpu_memory_bytes or g[1] >= request.gpu_memory_bytes)
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


def _leaves(request: Request, head: Request, gpu: tuple[int, int, int]) -> bool:
    if head.gpu_milli >= 1000 or request.gpu_milli >= 1000:
        return False
    enough_share = not request.gpu_milli or request.gpu_milli + head.gpu_milli <= gpu[0]
    return enough_share and (
        not request.gpu_memory_bytes or request.gpu_memory_bytes + head.gpu_memory_bytes <= gpu[1]
    )
