"""Another node of the cluster, as the manager knows it: what it is, when it was heard of, what it is to keep."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, TypeVar

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.look import NodeLook
from runyard_actors.nodes.line import Agent, Line
from runyard_actors.run import AttemptKey
from runyard_cluster.capacity import Capacity, Use

Answer = TypeVar("Answer")

#: A node that was not heard of for so many seconds gets nothing new to start. Its agent answers every two.
QUIET_SECONDS = 6.0


class OtherNode:
    """One node. It is lost once it was not heard of for too long, and back whenever it is heard of again."""

    def __init__(self, name: str, epoch: int) -> None:
        self.name = name
        self.line = Line(name, epoch)
        #: What it is called in Ray as long as it is there; another one each time that Ray is started on it.
        self.ray_id: str | None = None
        #: What it offers to runs; None until it was first heard of.
        self.capacity: Capacity | None = None
        #: What all programs used of it when it was asked last, and what it looked like then.
        self.use: Use | None = None
        self.look: NodeLook | None = None
        #: Why nothing may start there by what it measured, and what else somebody should see of its memory.
        self.measured_guard: str | None = None
        self.memory_warning: str | None = None
        #: GPUs that do no work any more, by index, and why.
        self.lost_gpus: dict[int, str] = {}
        self.asked_at = 0.0
        #: The share of its memory limit that was told of each attempt, and when it was asked for that last.
        self.memory_told: dict[AttemptKey, float] = {}
        self.memory_asked_at = float("-inf")
        self.silent_seconds = 0.0
        self.is_lost = False
        #: What was given up there, with the nonces; to be ended before anything new starts.
        self.given_up: dict[AttemptKey, str] = {}
        #: Each attempt's files are brought from there by one at a time.
        self.bringing: dict[AttemptKey, asyncio.Lock] = {}
        #: Each snapshot of code is sent there by one at a time.
        self.shipping: dict[str, asyncio.Lock] = {}
        self._lost = asyncio.Event()
        self._talk: asyncio.Task[None] | None = None

    @property
    def guard(self) -> str | None:
        """Why nothing may start there for now."""
        if not self.line.is_open.is_set() and self.silent_seconds < QUIET_SECONDS:
            return f"the agent of {self.name} is being started"
        if self.silent_seconds >= QUIET_SECONDS:
            return f"nothing is heard of {self.name}"
        return self.measured_guard

    @property
    def sees_data_dir(self) -> bool:
        """Whether it has its files where the manager has its own."""
        return self.line.facts is None or self.line.facts.is_shared

    async def stop(self, attempt: ActiveRun) -> None:
        """Have an attempt end for which a cancel was ordered; as soon as the node is heard of."""
        if order := attempt.stop_order:
            await self.line.stop(order)

    def connect(self, ray_id: str, agent: Agent) -> None:
        """Talk with the agent of this node of Ray's from now on."""
        if self._talk:
            self._talk.cancel()
        self.ray_id = ray_id
        self._talk = asyncio.create_task(self.line.talk(agent), name=f"talk with {self.name}")

    def heard(self) -> None:
        """It was heard of just now."""
        self.silent_seconds = 0.0
        self.is_lost = False
        self._lost.clear()

    def lose(self) -> None:
        """Give up what it keeps."""
        self.is_lost = True
        self.line.find_anew()
        self._lost.set()

    def forget_brought(self, active: Collection[AttemptKey]) -> None:
        """Forget what was for bringing attempts that are active no more."""
        for key in [k for k, lock in self.bringing.items() if k not in active and not lock.locked()]:
            del self.bringing[key]

    async def unless_lost(self, work: Coroutine[Any, Any, Answer]) -> Answer | None:
        """Return what `work` returns, or None once the node is lost."""
        task = asyncio.create_task(work)
        lost = asyncio.create_task(self._lost.wait())
        try:
            await asyncio.wait({task, lost}, return_when=asyncio.FIRST_COMPLETED)
            return await task if task.done() else None
        finally:
            for each in (task, lost):
                each.cancel()

    async def close(self) -> None:
        """Talk no more; what runs there goes on."""
        if self._talk:
            self._talk.cancel()
            await asyncio.gather(self._talk, return_exceptions=True)
