"""View: what the manager's memory says of the queue and the nodes, as frozen values."""

from __future__ import annotations

from collections.abc import Sequence

from runyard_actors.manager.messages import GpuView, NodeView, YardView
from runyard_actors.manager.yard import Yard
from runyard_actors.run import RunId


def waiting_for(yard: Yard, run_ids: Sequence[RunId]) -> dict[str, str]:
    """Say for each run that is not running yet what it waits for."""
    words: dict[str, str] = {}
    for run_id in run_ids:
        attempt = yard.active.get(run_id)
        if attempt is None:
            why = yard.core.waiting_for(run_id)
        else:
            why = None if attempt.is_started else f"starting on {attempt.placement.node}"
        if why:
            words[run_id] = why
    return words


def view(yard: Yard) -> YardView:
    """Return the yard's numbers at this moment."""
    counts = yard.core.counts()
    return YardView(
        max_concurrent_runs=yard.settings.max_concurrent_runs,
        active=counts.active,
        queued=counts.queued + counts.waiting_for_dependencies,
        is_paused=yard.core.is_paused,
        paused_while=yard.core.held,
        storage_fault=yard.storage_fault,
        nodes=(_node(yard),),
    )


def _node(yard: Yard) -> NodeView:
    capacity, free = yard.capacity, yard.core.free_on(yard.capacity.node)
    declared = {g.index: g for g in free.gpus}
    return NodeView(
        node=capacity.node,
        cpu_milli=capacity.cpu_milli,
        memory_bytes=capacity.memory_bytes,
        declared_cpu_milli=capacity.cpu_milli - free.cpu_milli,
        declared_memory_bytes=capacity.memory_bytes - free.memory_bytes,
        gpus=tuple(
            GpuView(
                index=gpu.index,
                uuid=gpu.uuid,
                name=gpu.name,
                memory_bytes=gpu.memory_bytes,
                declared_milli=1000 - declared[gpu.index].milli,
                declared_memory_bytes=gpu.memory_bytes - declared[gpu.index].memory_bytes,
            )
            for gpu in capacity.gpus
        ),
        guard=yard.guard,
    )
