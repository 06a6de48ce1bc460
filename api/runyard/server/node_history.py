"""The last hour of the nodes: what was declared, what runs used of it, and what all programs used, in a ring."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from runyard_actors.manager.client import ManagerClient
from runyard_actors.manager.messages import GpuView, NodeView
from runyard_cluster.capacity import Use, read_use
from runyard_cluster.errors import UnavailableError

#: How often the nodes are looked at, in seconds; a look costs the server and the manager a millisecond each.
INTERVAL_SECONDS = 5
#: How many looks are kept: an hour, some 200 bytes for each node and look.
KEPT = 720


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    at: float
    nodes: dict[str, NodeView]
    use: Use


class NodeHistory:
    """What was seen of the nodes lately, the oldest look first; nothing of it outlives the server."""

    def __init__(self, kept: int = KEPT) -> None:
        self._looks: deque[_Look] = deque(maxlen=kept)

    async def keep(self, manager: Callable[[], ManagerClient]) -> None:
        """Look again and again, for ever; while there is no manager, nothing is seen."""
        while True:
            try:
                view, use = await asyncio.gather(manager().view(), asyncio.to_thread(read_use))
            except (UnavailableError, OSError):
                pass
            else:
                self.add(time.time(), view.nodes, use)
            await asyncio.sleep(INTERVAL_SECONDS)

    def add(self, at: float, nodes: Iterable[NodeView], use: Use) -> None:
        """Keep one look: `at` in seconds since the epoch, `use` of the node that the manager is on."""
        self._looks.append(_Look(at=at, nodes={node.node: node for node in nodes}, use=use))

    def since(self, at: float) -> dict[str, Any]:
        """Return the looks after a moment as columns of equal length, for the nodes that there are now."""
        looks = [look for look in self._looks if look.at > at]
        newest = self._looks[-1].nodes.values() if self._looks else ()
        return {
            "interval_seconds": INTERVAL_SECONDS,
            "at": [look.at for look in looks],
            "nodes": [_node(node, looks) for node in newest],
        }


def _node(newest: NodeView, looks: list[_Look]) -> dict[str, Any]:
    seen = [(look.nodes.get(newest.node), look.use) for look in looks]
    return {
        "node": newest.node,
        "num_cpus": newest.cpu_milli / 1000,
        "memory": newest.memory_bytes,
        "declared_cpus": [node and node.declared_cpu_milli / 1000 for node, _ in seen],
        "runs_cpus": [node and _cpus(node.runs_cpu_milli) for node, _ in seen],
        "used_cpus": [node and _used_cpus(node, node.use or use) for node, use in seen],
        "declared_memory": [node and node.declared_memory_bytes for node, _ in seen],
        "runs_memory": [node and node.runs_memory_bytes for node, _ in seen],
        "used_memory": [node and _used_memory(node, node.use or use) for node, use in seen],
        "gpus": [_gpu(gpu, [node for node, _ in seen]) for gpu in newest.gpus],
    }


def _gpu(newest: GpuView, nodes: list[NodeView | None]) -> dict[str, Any]:
    seen = [next((g for g in node.gpus if g.uuid == newest.uuid), None) if node else None for node in nodes]
    return {
        "index": newest.index,
        "name": newest.name,
        "memory": newest.memory_bytes,
        "declared_memory": [gpu and gpu.declared_memory_bytes for gpu in seen],
        "runs_memory": [gpu and gpu.runs_memory_bytes for gpu in seen],
        "used_memory": [
            None if gpu is None or gpu.free_bytes is None else max(0, gpu.memory_bytes - gpu.free_bytes)
            for gpu in seen
        ],
    }


def _cpus(milli: int | None) -> float | None:
    return None if milli is None else milli / 1000


def _used_cpus(node: NodeView, use: Use) -> float:
    return round(use.cpu_busy_percent * node.cpu_milli / 100_000, 2)


def _used_memory(node: NodeView, use: Use) -> int:
    return max(0, node.memory_bytes - use.memory_free_bytes)
