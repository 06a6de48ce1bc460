"""View: what the manager's memory says of the queue and the nodes, as frozen values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runyard_actors.manager.messages import GpuView, NodeView, YardView
from runyard_actors.manager.other_node import OtherNode
from runyard_actors.manager.usage import RunLook, RunUsage
from runyard_actors.manager.yard import Yard
from runyard_actors.request import WHOLE
from runyard_actors.run import RunId
from runyard_actors.scheduling.node import NodeFree
from runyard_cluster.gpu_processes import GpuLook


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


def usage(yard: Yard) -> list[tuple[RunUsage, Path]]:
    """Return what each run that is still active used at the last look, and where its log lies."""
    return [(run.usage, run.attempt.folder.log_file) for run in _active_looks(yard)]


def warnings(yard: Yard) -> tuple[str, ...]:
    """Return what somebody should know of the node: what keeps its GPUs, or its memory, from being as they should."""
    of_gpus = yard.look.warnings if yard.look else ()
    return (*of_gpus, *(words for words in (yard.memory_warning, yard.ray_warning) if words))


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
        nodes=(_node(yard), *(_other(yard, node) for node in yard.others.values() if node.capacity)),
    )


def _active_looks(yard: Yard) -> list[RunLook]:
    """Return what the last look showed of the runs that are still active."""
    runs = yard.look.runs if yard.look else ()
    return [run for run in runs if yard.active.get(run.attempt.run_id) is run.attempt]


def _node(yard: Yard) -> NodeView:
    capacity, free = yard.capacity, yard.core.free_on(yard.capacity.node)
    looked = _active_looks(yard)
    return NodeView(
        node=capacity.node,
        cpu_milli=capacity.cpu_milli,
        memory_bytes=capacity.memory_bytes,
        declared_cpu_milli=capacity.cpu_milli - free.cpu_milli,
        declared_memory_bytes=capacity.memory_bytes - free.memory_bytes,
        gpus=_gpus(yard, free),
        guard=yard.guard_on(capacity.node),
        warnings=warnings(yard),
        runs_cpu_milli=round(sum(run.usage.cpu_percent for run in looked) * 10) if yard.look else None,
        runs_memory_bytes=sum(run.usage.memory for run in looked) if yard.look else None,
    )


def _other(yard: Yard, node: OtherNode) -> NodeView:
    """Return a node's numbers; those of one that is lost are as it was last heard of."""
    capacity = node.capacity
    assert capacity is not None
    free = None if node.is_lost else yard.core.free_on(node.name)
    left = {g.index: g for g in free.gpus} if free else {}
    return NodeView(
        node=node.name,
        cpu_milli=capacity.cpu_milli,
        memory_bytes=capacity.memory_bytes,
        declared_cpu_milli=capacity.cpu_milli - free.cpu_milli if free else 0,
        declared_memory_bytes=capacity.memory_bytes - free.memory_bytes if free else 0,
        gpus=tuple(
            GpuView(
                index=gpu.index,
                uuid=gpu.uuid,
                name=gpu.name,
                memory_bytes=gpu.memory_bytes,
                declared_milli=WHOLE - left[gpu.index].milli if gpu.index in left else 0,
                declared_memory_bytes=gpu.memory_bytes - left[gpu.index].memory_bytes
                if gpu.index in left
                else 0,
            )
            for gpu in capacity.gpus
        ),
        guard="the node is lost" if node.is_lost else yard.guard_on(node.name),
        use=node.use,
    )


def _gpus(yard: Yard, free: NodeFree) -> tuple[GpuView, ...]:
    left = {g.index: g for g in free.gpus}
    looks = yard.look.gpus if yard.look else GpuLook()
    unused = {g.uuid: g.free_bytes for g in looks.gpus}
    held: dict[int, int] = {}
    for run in _active_looks(yard):
        for index, size in run.gpu_memory_on.items():
            held[index] = held.get(index, 0) + size
    return tuple(
        GpuView(
            index=gpu.index,
            uuid=gpu.uuid,
            name=gpu.name,
            memory_bytes=gpu.memory_bytes,
            # Of a lost GPU nothing is to be had.
            declared_milli=WHOLE - (left[gpu.index].milli if gpu.index in left else 0),
            declared_memory_bytes=gpu.memory_bytes
            - (left[gpu.index].memory_bytes if gpu.index in left else 0),
            free_bytes=unused.get(gpu.uuid),
            busy_percent=looks.busy_percent.get(gpu.index),
            lost=yard.lost_gpus.get(gpu.index),
            runs_memory_bytes=held.get(gpu.index, 0) if gpu.uuid in unused else None,
        )
        for gpu in yard.capacity.gpus
    )
