"""Measure the scheduling core: decisions a second, and memory of a queued run.

Run it as `python tests/benchmarks/bench_core.py`. A decision is one start; each is followed by an end.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections import deque

from runyard_actors.request import Request
from runyard_actors.run import BatchId, BatchSpec, RunId
from runyard_actors.scheduling.core import Core, QueuedRun, Start
from runyard_actors.scheduling.node import GpuSpec, NodeSpec

GIB = 2**30


def drain(core: Core, *, ends_at_once: int = 1) -> tuple[int, float]:
    """Start and end runs until nothing is left; return starts and seconds of CPU."""
    active: deque[RunId] = deque()
    starts, began = 0, time.process_time()
    while True:
        started = [d.run_id for d in core.decide() if isinstance(d, Start)]
        starts += len(started)
        active.extend(started)
        if not active:
            return starts, time.process_time() - began
        for _ in range(min(ends_at_once, len(active))):
            core.on_ended(active.popleft(), succeeded=True, retry=False)


def cluster(nodes: int, slots: int, *, gpus: int = 0) -> Core:
    """A core with equal nodes of 16 CPUs and 64 GiB."""
    core = Core(max_concurrent_runs=slots)
    specs = tuple(GpuSpec(index=i, memory_bytes=24 * GIB) for i in range(gpus))
    for i in range(nodes):
        core.on_node(NodeSpec(name=f"n{i:03}", cpu_milli=16_000, memory_bytes=64 * GIB, gpus=specs))
    return core


def queue(core: Core, count: int, requests: list[Request], *, batches: int = 1, modules: int = 1) -> float:
    """Queue runs of these requests in turn, spread over batches; return the seconds it took."""
    module_ids, batch_ids = [f"m{i}" for i in range(modules)], [BatchId(f"b{i}") for i in range(batches)]
    runs = [
        QueuedRun(
            RunId(f"r{i:012}"), requests[i % len(requests)], module_ids[i % modules], batch_ids[i % batches]
        )
        for i in range(count)
    ]
    began = time.process_time()
    for b in range(batches):
        core.on_submitted(runs[b::batches], BatchSpec(batch_id=BatchId(f"b{b}")))
    return time.process_time() - began


def shapes(count: int) -> list[Request]:
    """Requests that all differ."""
    return [Request(cpu_milli=500 + 500 * (i % 8), memory_bytes=GIB + (i // 8) * 2**20) for i in range(count)]


def memory(count: int) -> float:
    """Return the bytes that one more queued run takes, its id included, its request not."""
    core, requests = cluster(1, 1), shapes(1)
    gc.collect()
    tracemalloc.start()
    queue(core, count, requests)
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / count


def report(name: str, core: Core, seconds_queued: float, *, ends_at_once: int = 1) -> None:
    """Drain a filled core and print its speed."""
    starts, seconds = drain(core, ends_at_once=ends_at_once)
    print(f"{name:62} {starts / seconds:9,.0f} decisions/s   queued in {seconds_queued * 1e3:6.0f} ms")


def main() -> None:
    """Run all measurements."""
    for name, nodes, slots, count, kinds, batches, modules in [
        ("1 node, 100,000 queued, 1 shape, 8 fit", 1, 10, 100_000, [Request(cpu_milli=2000)], 1, 1),
        ("100 nodes, 10,000 queued, 1 shape, 800 fit", 100, 10_000, 10_000, [Request(cpu_milli=2000)], 1, 1),
        ("100 nodes, 10,000 queued, 8 shapes", 100, 10_000, 10_000, shapes(8), 1, 1),
        (
            "100 nodes, 10,000 queued, 8 shapes, 100 batches, 10 modules",
            100,
            10_000,
            10_000,
            shapes(8),
            100,
            10,
        ),
        ("100 nodes, 10,000 queued, 8 shapes, 500 slots", 100, 500, 10_000, shapes(8), 10, 3),
        ("100 nodes, 10,000 queued, 80 shapes", 100, 10_000, 10_000, shapes(80), 1, 1),
        ("100 nodes, 2,000 queued, 400 shapes", 100, 10_000, 2_000, shapes(400), 1, 1),
        ("1 node, 2,000 queued, 2,000 shapes", 1, 10, 2_000, shapes(2000), 1, 1),
        ("1,000 nodes, 100,000 queued, 8 shapes", 1000, 100_000, 100_000, shapes(8), 10, 3),
    ]:
        core = cluster(nodes, slots)
        report(name, core, queue(core, count, kinds, batches=batches, modules=modules))
    core = cluster(100, 10_000, gpus=4)
    gpu = [
        Request(gpu_milli=250, gpu_memory_bytes=6 * GIB),
        Request(gpu_milli=2000),
        Request(gpu_memory_bytes=9 * GIB),
    ]
    report("100 nodes with 4 GPUs, 10,000 queued, 3 shapes", core, queue(core, 10_000, gpu, batches=5))
    print(f"memory of a queued run: {memory(100_000):.0f} B")


if __name__ == "__main__":
    main()
