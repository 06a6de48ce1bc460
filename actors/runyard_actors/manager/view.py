"""View: what the manager's memory says of the queue and the nodes, as frozen values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runyard_actors.manager.gpu_lost import labels
from runyard_actors.manager.look import NodeLook, RunLook
from runyard_actors.manager.messages import GpuView, NodeView, YardView
from runyard_actors.manager.other_node import OtherNode
from runyard_actors.manager.yard import Yard
from runyard_actors.measure import RunUsage
from runyard_actors.request import WHOLE
from runyard_actors.run import RunId
from runyard_actors.scheduling.node import GpuFree, NodeFree
from runyard_cluster.capacity import Capacity
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
    looks = (yard.look, *(node.look for node in yard.others.values()))
    return [(run.usage, run.attempt.folder.log_file) for look in looks for run in _active_looks(yard, look)]


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


def _active_looks(yard: Yard, look: NodeLook | None) -> list[RunLook]:
    """Return what a look showed of the runs that are still active."""
    runs = look.runs if look else ()
    return [run for run in runs if yard.active.get(run.attempt.run_id) is run.attempt]


def _node(yard: Yard) -> NodeView:
    capacity, free = yard.capacity, yard.core.free_on(yard.capacity.node)
    return NodeView(
        node=capacity.node,
        cpu_milli=capacity.cpu_milli,
        memory_bytes=capacity.memory_bytes,
        declared_cpu_milli=capacity.cpu_milli - free.cpu_milli,
        declared_memory_bytes=capacity.memory_bytes - free.memory_bytes,
        gpus=_gpus(yard, capacity, free, yard.look, yard.lost_gpus),
        guard=yard.guard_on(capacity.node),
        labels=labels(capacity),
        warnings=warnings(yard),
        runs_cpu_milli=_runs_cpu_milli(yard, yard.look),
        runs_memory_bytes=_runs_memory_bytes(yard, yard.look),
    )


def _other(yard: Yard, node: OtherNode) -> NodeView:
    """Return a node's numbers; those of one that is lost are as it was last heard of."""
    capacity = node.capacity
    assert capacity is not None
    free = None if node.is_lost else yard.core.free_on(node.name)
    return NodeView(
        node=node.name,
        cpu_milli=capacity.cpu_milli,
        memory_bytes=capacity.memory_bytes,
        declared_cpu_milli=capacity.cpu_milli - free.cpu_milli if free else 0,
        declared_memory_bytes=capacity.memory_bytes - free.memory_bytes if free else 0,
        gpus=_gpus(yard, capacity, free, node.look, node.lost_gpus),
        labels=labels(capacity),
        guard="the node is lost" if node.is_lost else yard.guard_on(node.name),
        warnings=(
            *(node.look.warnings if node.look else ()),
            *([node.memory_warning] if node.memory_warning else []),
        ),
        use=node.use,
        runs_cpu_milli=_runs_cpu_milli(yard, node.look),
        runs_memory_bytes=_runs_memory_bytes(yard, node.look),
    )


def _runs_cpu_milli(yard: Yard, look: NodeLook | None) -> int | None:
    return round(sum(run.usage.cpu_percent for run in _active_looks(yard, look)) * 10) if look else None


def _runs_memory_bytes(yard: Yard, look: NodeLook | None) -> int | None:
    return sum(run.usage.memory for run in _active_looks(yard, look)) if look else None


def _gpus(
    yard: Yard, capacity: Capacity, free: NodeFree | None, look: NodeLook | None, lost: Mapping[int, str]
) -> tuple[GpuView, ...]:
    """Return the GPUs of a node; nothing is declared on those of one that is lost."""
    left = {g.index: g for g in free.gpus} if free else None
    seen = look.gpus if look else GpuLook()
    unused = {g.uuid: g.free_bytes for g in seen.gpus}
    held: dict[int, int] = {}
    for run in _active_looks(yard, look):
        for index, size in run.gpu_memory_on.items():
            held[index] = held.get(index, 0) + size
    return tuple(
        GpuView(
            index=gpu.index,
            uuid=gpu.uuid,
            name=gpu.name,
            memory_bytes=gpu.memory_bytes,
            declared_milli=_declared(left, gpu.index, WHOLE, lambda g: g.milli),
            declared_memory_bytes=_declared(left, gpu.index, gpu.memory_bytes, lambda g: g.memory_bytes),
            free_bytes=unused.get(gpu.uuid),
            busy_percent=seen.busy_percent.get(gpu.index),
            lost=lost.get(gpu.index),
            runs_memory_bytes=held.get(gpu.index, 0) if gpu.uuid in unused else None,
        )
        for gpu in capacity.gpus
    )


def _declared(
    left: Mapping[int, GpuFree] | None, index: int, whole: int, free_of: Callable[[GpuFree], int]
) -> int:
    """Return what is declared of a GPU. Of a lost one nothing is to be had."""
    if left is None:
        return 0
    return whole - (free_of(left[index]) if index in left else 0)
