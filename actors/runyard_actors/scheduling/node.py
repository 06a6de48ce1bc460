"""Nodes as the core knows them: what they have, and what of it nobody has declared."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSpec:
    """One GPU of a node."""

    index: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """What a node offers to runs."""

    name: str
    cpu_milli: int
    memory_bytes: int
    gpus: tuple[GpuSpec, ...] = ()


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
