"""How many runs of one request a node holds at once, by all the limits that are in force."""

from __future__ import annotations

from runyard_actors.request import WHOLE, Request
from runyard_cluster.capacity import Capacity


def runs_at_once(request: Request, capacity: Capacity, slots: int) -> int:
    """Return how many such runs fit on an empty node; `slots` is the smallest semaphore that they pass."""
    most = slots
    if request.cpu_milli:
        most = min(most, capacity.cpu_milli // request.cpu_milli)
    if request.memory_bytes:
        most = min(most, capacity.memory_bytes // request.memory_bytes)
    return min(most, _on_gpus(request, capacity)) if request.needs_gpu else most


def _on_gpus(request: Request, capacity: Capacity) -> int:
    fitting = [gpu for gpu in capacity.gpus if gpu.memory_bytes >= request.gpu_memory_bytes]
    if request.whole_gpus:
        return len(fitting) // request.whole_gpus
    return sum(_on_gpu(request, gpu.memory_bytes) for gpu in fitting)


def _on_gpu(request: Request, memory_bytes: int) -> int:
    by_share = WHOLE // request.gpu_milli if request.gpu_milli else None
    by_memory = memory_bytes // request.gpu_memory_bytes if request.gpu_memory_bytes else None
    return min(n for n in (by_share, by_memory) if n is not None)
