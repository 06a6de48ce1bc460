"""Leases on Ray, of runs on all nodes: each node has a pool of its own."""

from __future__ import annotations

import asyncio
from itertools import count

import ray

from runyard_actors.leases.node_leases import NodeLeases
from runyard_actors.manager.active import ActiveRun
from runyard_actors.steps import Steps
from runyard_cluster.capacity import Capacity

TIDY_SECONDS = 0.5


class RayLeases:
    """Takes each lease on the node that its run was given to."""

    def __init__(self, capacity: Capacity) -> None:
        self._ids = count(1)
        self._home = NodeLeases(capacity, ray.get_runtime_context().get_node_id(), self._ids)
        self._others: dict[str, NodeLeases] = {}
        self._capacities: dict[str, Capacity] = {}

    def on_node(self, capacity: Capacity, ray_id: str) -> None:
        """Another node is there, as this node of Ray's: leases of runs on it are taken there."""
        known = self._others.get(capacity.node)
        if known is None:
            self._others[capacity.node] = NodeLeases(capacity, ray_id, self._ids)
        else:
            known.move(capacity, ray_id)
        self._capacities[capacity.node] = capacity

    def on_node_gone(self, node: str) -> None:
        """Another node is not there for now: nothing can be taken on it."""
        if known := self._others.get(node):
            known.move(self._capacities[node], None)

    async def take(self, attempt: ActiveRun) -> None:
        """Wait until Ray holds what the attempt declares."""
        await self._of(attempt).take(attempt)

    def give_back(self, attempt: ActiveRun) -> None:
        """Have done with what the attempt declared."""
        self._of(attempt).give_back(attempt)

    async def hold(self, lease_id: int) -> bool:
        """A lease is granted: return False when it is to end, and True after a while if it is still wanted."""
        for node in (self._home, *self._others.values()):
            if node.owns(lease_id):
                return await node.hold(lease_id)
        return False

    async def tidy_for_ever(self) -> None:
        """Close unused leases and divide up those that last."""
        steps = Steps()
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            await steps.do("tidying leases", self._tidy())

    async def _tidy(self) -> None:
        for node in (self._home, *self._others.values()):
            node.tidy()

    def _of(self, attempt: ActiveRun) -> NodeLeases:
        return self._others.get(attempt.placement.node, self._home)
