"""Lost GPUs: taken out of the node's capacity, and told to the runs on them; back once NVML finds them again."""

from __future__ import annotations

import time

from runyard_actors.manager.yard import Yard, log
from runyard_actors.scheduling.node import GpuSpec, NodeSpec
from runyard_actors.store.changes import RunWarned
from runyard_cluster.gpu_processes import GpuLook


def node_spec(yard: Yard) -> NodeSpec:
    """Return what the node offers to runs now."""
    capacity = yard.capacity
    return NodeSpec(
        name=capacity.node,
        cpu_milli=capacity.cpu_milli,
        memory_bytes=capacity.memory_bytes,
        gpus=tuple(
            GpuSpec(index=g.index, memory_bytes=g.memory_bytes)
            for g in capacity.gpus
            if g.index not in yard.lost_gpus
        ),
    )


async def take_lost_gpus(yard: Yard, look: GpuLook) -> None:
    """Change the node's capacity where a GPU was lost or came back. Runs go on: theirs is to say what they can do."""
    ours = {gpu.index for gpu in yard.capacity.gpus}
    lost = {index: why for index, why in look.lost.items() if index in ours}
    if look.gpus or lost:
        # An NVML that does not answer at all says nothing of any GPU.
        back = yard.lost_gpus.keys() & {gpu.index for gpu in look.gpus}
        lost |= {i: why for i, why in yard.lost_gpus.items() if i not in back | lost.keys()}
    else:
        lost = yard.lost_gpus
    if lost.keys() == yard.lost_gpus.keys():
        return
    newly = {index: why for index, why in lost.items() if index not in yard.lost_gpus}
    yard.lost_gpus = lost
    log.warning("GPUs that are lost now: %s", lost or "none")
    yard.core.on_node(node_spec(yard))
    yard.pump()
    await yard.write_if_possible(_warnings(yard, newly))


def _warnings(yard: Yard, lost: dict[int, str]) -> list[RunWarned]:
    now = time.time_ns() // 1000
    return [
        RunWarned(run_id=attempt.run_id, words=f"GPU {index}, which it was given: {lost[index]}", at=now)
        for attempt in yard.active_here()
        for index in attempt.placement.gpu_indexes
        if index in lost
    ]
