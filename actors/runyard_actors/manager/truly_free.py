"""Truly free: what the core is told of a node's memory and GPUs after each look."""

from __future__ import annotations

from collections.abc import Sequence

from runyard_actors.manager.look import NodeLook, RunLook
from runyard_actors.manager.yard import Yard
from runyard_actors.scheduling.node import Measured, Use
from runyard_cluster.capacity import Capacity
from runyard_cluster.gpu import Gpu


def tell_truly_free(yard: Yard, capacity: Capacity, look: NodeLook) -> None:
    """Tell the core what a look at the node with that capacity showed, and start what may start now."""
    reserve = yard.settings.reserve_memory
    yard.core.on_measured(capacity.node, truly_free(look, capacity.gpus, reserve))
    yard.pump()


def truly_free(look: NodeLook, gpus: Sequence[Gpu], reserve_memory: int) -> Measured:
    """Return what is free beyond the reserve, and of each of these GPUs, and what each run uses."""
    return Measured(
        memory_bytes=look.use.memory_free_bytes - reserve_memory,
        gpu_memory_bytes=tuple(_free_of(look, gpu.index) for gpu in gpus),
        used={run.attempt.run_id: _use(run) for run in look.runs},
    )


def _free_of(look: NodeLook, index: int) -> int | None:
    """Return what is free of a GPU; None where nobody tells it, or tells whose the rest is."""
    if index in look.gpus.blind or index in look.gpus.lost:
        return None
    return next((gpu.free_bytes for gpu in look.gpus.gpus if gpu.index == index and gpu.memory_bytes), None)


def _use(run: RunLook) -> Use:
    """A run on several GPUs shares none of them, so how its memory is spread over them does not matter."""
    return Use(memory_bytes=run.usage.memory, gpu_memory_bytes=min(run.gpu_memory_on.values(), default=0))
