"""Nodes as the core knows them: what they have, and what of it nobody has declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runyard_actors.run import RunId
from runyard_actors.selector import Labels, is_selector, selects


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSpec:
    """One GPU of a node."""

    index: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """What a node offers to runs, and what it can be selected by."""

    name: str
    cpu_milli: int
    memory_bytes: int
    gpus: tuple[GpuSpec, ...] = ()
    labels: Labels = ()

    def is_meant(self, node: str) -> bool:
        """Whether it is the node of that name, or one that a selector means."""
        return node == self.name or (is_selector(node) and selects(node, self.labels))


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFree:
    """What of a GPU is not declared by a run; `milli` in thousandths of it."""

    index: int
    milli: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFree:
    """What of a node is not declared by a run; negative where adopted runs hold more than it has."""

    cpu_milli: int
    memory_bytes: int
    gpus: tuple[GpuFree, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What an active run used of memory when it was measured; of several GPUs, what it used of each."""

    memory_bytes: int = 0
    gpu_memory_bytes: int = 0


#: The use of a run that was not measured.
NO_USE = Use()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is truly free of a node's memory, at one moment, and what its active runs used then.

    `memory_bytes` is what is free beyond the reserve, negative if that is not all there. `gpu_memory_bytes` is what
    is free of each GPU, in the order of the node's GPUs; empty if they cannot be measured, None for one that cannot.
    """

    memory_bytes: int
    gpu_memory_bytes: tuple[int | None, ...] = ()
    used: Mapping[RunId, Use] = field(default_factory=dict)
