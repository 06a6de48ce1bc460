"""The main numbers as metrics of Ray, for its dashboard and whatever scrapes its nodes.

No histograms: Ray sums the middles of their buckets, not what was observed. They are at the server's `/metrics`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from runyard_actors.manager.messages import NodeView, YardView
from runyard_actors.manager.view import view
from runyard_actors.manager.yard import Yard, log
from runyard_actors.request import WHOLE

STATUS = ("Status",)


class RayMetrics:
    """One manager's metrics; Ray sets `ray_` before their names."""

    def __init__(self, yard: Yard) -> None:
        self._yard = yard
        self._last_seq: int | None = None
        self._gauges: dict[str, Any] = {}
        self._ended: Any = None
        self._is_failing = False

    async def update(self) -> None:
        """Set everything to how it stands now. Whatever fails here, the watch that calls this goes on."""
        try:
            self._set_yard(view(self._yard))
            await asyncio.to_thread(self._set_store)
        except Exception as error:
            if not self._is_failing:
                log.warning("Ray's metrics are not up to date: %r", error)
            self._is_failing = True
        else:
            self._is_failing = False

    def _set_yard(self, now: YardView) -> None:
        self._set("queue_length", "Runs that wait for a slot, resources or other runs.", now.queued)
        self._set("slots", "Runs that may be active at once.", now.max_concurrent_runs)
        self._set("slots_used", "Runs that hold a slot.", now.active)
        self._set(
            "is_paused",
            "Whether admission is paused: nothing new starts.",
            now.is_paused or now.paused_while is not None,
        )
        self._set("store_fault", "Whether the store cannot be written.", bool(now.storage_fault))
        for node in now.nodes:
            self._set_node(node)

    def _set_node(self, node: NodeView) -> None:
        tags = {"Node": node.node}
        declared = node.declared_cpu_milli / WHOLE
        self._set("node_declared_cpus", "CPUs that active runs declared.", declared, tags)
        memory = node.declared_memory_bytes
        self._set("node_declared_memory_bytes", "Memory that active runs declared.", memory, tags)
        self._set("node_is_guarded", "Whether a node starts nothing.", node.guard is not None, tags)
        for gpu in node.gpus:
            memory, tags = gpu.declared_memory_bytes, {"Node": node.node, "Gpu": str(gpu.index)}
            self._set("gpu_declared_memory_bytes", "GPU memory that active runs declared.", memory, tags)

    def _set_store(self) -> None:
        reader = self._yard.reader
        for status, count in reader.counts().items():
            self._set("runs", "Runs in the store, by status.", count, {"Status": status})
        self._count_ended(reader.last_seq())

    def _count_ended(self, last_seq: int) -> None:
        """Count by events and not by differences of counts, which fall when old runs are removed."""
        from ray.util.metrics import Counter

        if self._ended is None:
            self._ended = Counter("runyard_runs_ended", "Runs that ended.", STATUS)
        if self._last_seq is not None:
            for status, count in self._yard.reader.ended_between(self._last_seq, last_seq).items():
                self._ended.inc(count, {"Status": status})
        self._last_seq = last_seq

    def _set(self, name: str, text: str, value: float, tags: dict[str, str] | None = None) -> None:
        from ray.util.metrics import Gauge

        gauge = self._gauges.get(name)
        if gauge is None:
            gauge = self._gauges[name] = Gauge(f"runyard_{name}", text, tuple(tags or ()))
        gauge.set(float(value), tags or {})
