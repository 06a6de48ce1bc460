"""Lost GPUs: taken out of their node's capacity, and told to the runs on them; back once NVML finds them again."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.other_node import OtherNode
from runyard_actors.manager.yard import Yard, log
from runyard_actors.scheduling.node import GpuSpec, NodeSpec
from runyard_actors.selector import Labels
from runyard_actors.store.changes import RunWarned
from runyard_cluster.capacity import Capacity
from runyard_cluster.gpu_processes import GpuLook


def node_spec(capacity: Capacity, lost_gpus: Collection[int] = ()) -> NodeSpec:
    """Return what a node offers to runs while some of its GPUs are lost."""
    return NodeSpec(
        name=capacity.node,
        cpu_milli=capacity.cpu_milli,
        memory_bytes=capacity.memory_bytes,
        gpus=tuple(
            GpuSpec(index=g.index, memory_bytes=g.memory_bytes)
            for g in capacity.gpus
            if g.index not in lost_gpus
        ),
        labels=labels(capacity),
    )


def labels(capacity: Capacity) -> Labels:
    """Return all that a node can be selected by: Ray's labels, its name, and what its GPUs are called."""
    gpus = ", ".join(sorted({gpu.name for gpu in capacity.gpus}))
    found = {**dict(capacity.labels), "name": capacity.node, **({"gpu": gpus} if gpus else {})}
    return tuple(sorted(found.items()))


async def take_lost_gpus(yard: Yard, look: GpuLook, node: OtherNode | None = None) -> None:
    """Change a node's capacity, this one's if none is given, where a GPU was lost or came back.

    Runs go on: theirs is to say what they can do.
    """
    place = node or yard
    if place.capacity is None:
        return
    newly = _newly_lost(place, {gpu.index for gpu in place.capacity.gpus}, look)
    if newly is None:
        return
    log.warning("GPUs of %s that are lost now: %s", place.capacity.node, place.lost_gpus or "none")
    yard.core.on_node(node_spec(place.capacity, place.lost_gpus))
    yard.pump()
    there = [attempt for attempt in yard.active.values() if yard.other(attempt) is node]
    await yard.write_if_possible(_warnings(there, newly))


def _newly_lost(place: Yard | OtherNode, ours: Collection[int], look: GpuLook) -> dict[int, str] | None:
    """Note what is lost now, and return what was not before; None if nothing changed."""
    known = place.lost_gpus
    lost = {index: why for index, why in look.lost.items() if index in ours}
    if look.gpus or lost:
        # An NVML that does not answer at all says nothing of any GPU.
        back = known.keys() & {gpu.index for gpu in look.gpus}
        lost |= {i: why for i, why in known.items() if i not in back | lost.keys()}
    else:
        lost = known
    if lost.keys() == known.keys():
        return None
    place.lost_gpus = lost
    return {index: why for index, why in lost.items() if index not in known}


def _warnings(attempts: Iterable[ActiveRun], lost: Mapping[int, str]) -> list[RunWarned]:
    now = time.time_ns() // 1000
    return [
        RunWarned(run_id=attempt.run_id, words=f"GPU {index}, which it was given: {lost[index]}", at=now)
        for attempt in attempts
        for index in attempt.placement.gpu_indexes
        if index in lost
    ]
