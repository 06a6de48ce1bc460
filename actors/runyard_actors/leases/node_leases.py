"""Leases on one node of Ray's: tasks that declare what runs need, and do nothing but hold it until told to end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from runyard_actors.leases import task
from runyard_actors.leases.lease import Lease, Shape
from runyard_actors.leases.pool import Close, LeasePool
from runyard_actors.manager.active import ActiveRun
from runyard_actors.request import WHOLE
from runyard_actors.run import RunId
from runyard_cluster.capacity import Capacity

#: Runs with a lease of their own, at least and at most, by the machine's cores between.
LEAST_OWN, MOST_OWN = 8, 32
#: Pause before a lost lease is taken again; Ray needs a moment to see its own losses.
RETRY_SECONDS = 0.5


class NodeLeases:
    """Takes leases as Ray tasks owned by this actor, on one node."""

    def __init__(self, capacity: Capacity, ray_id: str, ids: Iterator[int]) -> None:
        self._manager = ray.get_runtime_context().current_actor
        self._ray_id: str | None = ray_id
        self._task = ray.remote(max_retries=0)(task.hold)
        self._pool = LeasePool(
            capacity=_shape(capacity),
            own_limit=min(MOST_OWN, max(LEAST_OWN, capacity.cpu_milli // WHOLE)),
            ids=ids,
        )
        self._held: dict[RunId, asyncio.Event] = {}
        self._closed: dict[int, asyncio.Event] = {}
        self._watchers: set[asyncio.Task[None]] = set()
        self._is_planned = False

    def move(self, capacity: Capacity, ray_id: str | None) -> None:
        """The node is another one of Ray's now, or none for a while: all leases are taken again there, or then."""
        if ray_id == self._ray_id:
            return
        self._ray_id = ray_id
        self._pool.set_capacity(_shape(capacity))
        for lease_id in list(self._closed):
            self._pool.on_lost(lease_id)
            self._closed.pop(lease_id).set()
        self._plan_soon()

    def owns(self, lease_id: int) -> bool:
        """Whether it is a lease of this node that is wanted."""
        return lease_id in self._closed

    async def take(self, attempt: ActiveRun) -> None:
        """Wait until Ray holds what the attempt declares."""
        spec = attempt.spec
        assert spec is not None
        name = f"{spec.module_id} {spec.run_id}"
        if self._pool.take(attempt.run_id, name, Shape.of(spec.request), time.monotonic()):
            return
        held = self._held[attempt.run_id] = asyncio.Event()
        self._plan_soon()
        await held.wait()

    def give_back(self, attempt: ActiveRun) -> None:
        """Have done with what the attempt declared."""
        self._held.pop(attempt.run_id, None)
        self._pool.give_back(attempt.run_id, time.monotonic())

    async def hold(self, lease_id: int) -> bool:
        """A lease is granted: return False when it is to end, and True after a while if it is still wanted."""
        if not self._pool.is_open(lease_id):
            return False
        for run_id in self._pool.on_granted(lease_id, time.monotonic()):
            if held := self._held.get(run_id):
                held.set()
        self._plan_soon()
        try:
            async with asyncio.timeout(task.ASK_SECONDS):
                await self._closed[lease_id].wait()
        except TimeoutError:
            return True
        return False

    def tidy(self) -> None:
        """Close unused leases and divide up those that last."""
        self._pool.tidy(time.monotonic())
        self._plan()

    def _plan_soon(self) -> None:
        """Plan once for all runs that start in this turn of the loop."""
        if not self._is_planned:
            self._is_planned = True
            asyncio.get_running_loop().call_soon(self._plan)

    def _plan(self) -> None:
        self._is_planned = False
        if self._ray_id is None:
            return
        for action in self._pool.plan(time.monotonic()):
            if isinstance(action, Close):
                if closed := self._closed.pop(action.lease_id, None):
                    closed.set()
            else:
                self._open(action.lease, self._ray_id)

    def _open(self, lease: Lease, ray_id: str) -> None:
        self._closed[lease.lease_id] = asyncio.Event()
        total = lease.total
        declared = self._task.options(
            name=lease.name,
            num_cpus=total.cpu_milli / WHOLE,
            num_gpus=total.gpu_milli / WHOLE,
            memory=total.memory_bytes or None,
            scheduling_strategy=NodeAffinitySchedulingStrategy(ray_id, soft=False),
        )
        watcher = asyncio.create_task(
            self._watch(lease.lease_id, declared.remote(self._manager, lease.lease_id))
        )
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    async def _watch(self, lease_id: int, task: Any) -> None:
        try:
            await task
        except RayError:
            await asyncio.sleep(RETRY_SECONDS)
        if self._pool.is_open(lease_id):
            self._pool.on_lost(lease_id)
            self._closed.pop(lease_id).set()
            self._plan_soon()


def _shape(capacity: Capacity) -> Shape:
    return Shape(
        cpu_milli=capacity.cpu_milli,
        gpu_milli=len(capacity.gpus) * WHOLE,
        memory_bytes=capacity.memory_bytes,
    )
