"""The yard: everything the RunManager knows, in one place, and the one loop step that turns it into starts.

All of it lives on one event loop; between reading the core and telling it what happened nothing is awaited.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.admitting import Admitting
from runyard_actors.manager.batches import Batches
from runyard_actors.manager.look import NodeLook
from runyard_actors.manager.noted_starts import NotedStarts
from runyard_actors.manager.origins import Origins
from runyard_actors.manager.other_node import OtherNode
from runyard_actors.manager.specs import Specs
from runyard_actors.node_agent import NodeAgent
from runyard_actors.run import RunId
from runyard_actors.run_folder import RunFolder
from runyard_actors.scheduling.core import Core
from runyard_actors.scheduling.decision import Drop, Start
from runyard_actors.store.changes import Change
from runyard_actors.store.errors import StoreTakenOver, StoreUnavailable
from runyard_actors.store.reader import StoreReader
from runyard_actors.store.writer import StoreWriter
from runyard_cluster.capacity import Capacity
from runyard_cluster.data_dir import DataDir
from runyard_cluster.settings import Settings

log = logging.getLogger("runyard.manager")

#: Pause between two tries to write something that must not be lost, in seconds.
STORE_RETRY_SECONDS = 0.5

#: The clock is looked at this often while somebody waits for a moment: it may be set, and machines sleep.
CLOCK_SECONDS = 30.0


class Leases(Protocol):
    """Where leases are taken: Ray in the product, nowhere in tests of the manager's own logic."""

    async def take(self, attempt: ActiveRun) -> None:
        """Wait until what the attempt declares is held for it."""
        ...

    def give_back(self, attempt: ActiveRun) -> None:
        """Have done with what the attempt declared."""
        ...

    async def hold(self, lease_id: int) -> bool:
        """A lease is granted: return False when it is to end, and True after a while if it is still wanted."""
        ...

    async def tidy_for_ever(self) -> None:
        """Close leases that nobody uses."""
        ...

    def on_node(self, capacity: Capacity, ray_id: str) -> None:
        """Another node is there, as this node of Ray's: leases of runs on it are taken there."""
        ...

    def on_node_gone(self, node: str) -> None:
        """Another node is not there for now: nothing can be taken on it."""
        ...


class Yard:
    """Core, store and registry of one RunManager."""

    def __init__(
        self, *, settings: Settings, data_dir: DataDir, capacity: Capacity, boot_id: str, leases: Leases
    ) -> None:
        self.settings = settings
        self.data_dir = data_dir
        self.capacity = capacity
        self.boot_id = boot_id
        self.leases = leases
        self.agent = NodeAgent()
        #: The other nodes of the cluster, by name, those not heard of included.
        self.others: dict[str, OtherNode] = {}
        #: The cluster was looked at, and what was found then is taken in; without a cluster, both hold at once.
        self.has_looked, self.is_cluster_known = asyncio.Event(), asyncio.Event()
        self.core = Core(max_concurrent_runs=settings.max_concurrent_runs)
        self._runs = data_dir.runs
        self.writer = StoreWriter(data_dir.database, owner=f"{capacity.node}:{data_dir.path}")
        self.reader = StoreReader(data_dir.database)
        self.active: dict[RunId, ActiveRun] = {}
        self.attempts_used: dict[RunId, int] = {}
        self.specs = Specs(self.reader.specs, self._next_in_line, self.spawn)
        self.admitting = Admitting()
        self.noted_starts = NotedStarts(lambda c: self.spawn(self.write_surely(c), "note starts"))
        self.batches = Batches()
        self.origins = Origins(data_dir.code)
        self.retrying = asyncio.Lock()
        self.storage_fault: str | None = None
        self.guard: str | None = None
        #: Nodes that somebody wants nothing new to start on.
        self.drained: frozenset[str] = frozenset()
        #: What the node looked like last; None until it was looked at.
        self.look: NodeLook | None = None
        #: GPUs that do no work any more, by index, and why.
        self.lost_gpus: dict[int, str] = {}
        #: That memory is nearly all in use, and no run is to blame.
        self.memory_warning: str | None = None
        #: That Ray ends leases by itself when memory is short.
        self.ray_warning: str | None = None
        self.is_stale = False
        self.on_starts: Callable[[Sequence[Start]], Awaitable[None]] | None = None
        self.on_drops: Callable[[Sequence[Drop]], Awaitable[None]] | None = None
        self._clock: asyncio.TimerHandle | None = None
        self.noting_suspensions = asyncio.Lock()
        self._background: set[asyncio.Task[Any]] = set()

    def other(self, attempt: ActiveRun) -> OtherNode | None:
        """Return the node that an attempt runs on; None for this one."""
        return self.others.get(attempt.placement.node)

    def active_here(self) -> list[ActiveRun]:
        """Return the attempts that run on this node."""
        return [attempt for attempt in self.active.values() if attempt.placement.node not in self.others]

    def folder(self, run_id: str, attempt: int) -> RunFolder:
        """Return the folder of one attempt on this node; of one on another node, what was brought from there."""
        return RunFolder.of(self._runs, run_id, attempt)

    def pump(self) -> None:
        """Ask the core what may start now, and have it carried out."""
        if self.core.next_moment is not None:
            self._tell_time()
        self.carry_out(self.core.decide())

    def carry_out(self, decisions: Sequence[Start | Drop]) -> None:
        """Have what the core decided done, beside whoever asked it."""
        starts = [d for d in decisions if isinstance(d, Start)]
        drops = [d for d in decisions if isinstance(d, Drop)]
        if starts and self.on_starts:
            self.spawn(self.on_starts(starts), "start runs")
        if drops and self.on_drops:
            self.spawn(self.on_drops(drops), "drop runs")

    def _tell_time(self) -> None:
        """Tell the core what time it is if it waits for that, and come back when it does next."""
        now = time.time_ns() // 1000
        self.core.on_time(now)
        if self._clock is not None:
            self._clock.cancel()
        due = self.core.next_moment
        if due is None:
            self._clock = None
            return
        seconds = min(max(0.0, (due - now) / 1_000_000), CLOCK_SECONDS)
        self._clock = asyncio.get_running_loop().call_later(seconds, self.pump)

    def spawn(self, work: Awaitable[Any], name: str) -> None:
        """Run `work` beside the loop; a crash in it is logged, never lost."""
        task = asyncio.get_running_loop().create_task(_awaited(work), name=name)
        self._background.add(task)
        task.add_done_callback(self._ended)

    def write(self, changes: Sequence[Change]) -> Coroutine[Any, Any, None]:
        """Commit `changes` together; raises StoreUnavailable, and StoreTakenOver once another manager writes.

        They stand in line for the disk before this returns.
        """
        return self._write(self.writer.write_beside(changes))

    async def _write(self, written: asyncio.Future[None]) -> None:
        try:
            await written
        except StoreTakenOver as error:
            self.on_stale(str(error))
            raise

    async def write_if_possible(self, changes: Sequence[Change]) -> None:
        """Commit what would be nice to have; while the store takes nothing it is left out."""
        if not changes:
            return
        try:
            await self.write(changes)
        except StoreUnavailable as error:
            self.on_storage_fault(str(error))
            self.spawn(self.write_surely([]), "wait for the store")

    def write_surely(self, changes: Sequence[Change]) -> Coroutine[Any, Any, None]:
        """Commit what has happened already, for as long as it takes; starts pause meanwhile.

        It stands in line for the disk before this returns: what is written after it is not on disk before it.
        """
        return self._write_surely(changes, self.writer.write_beside(changes))

    async def _write_surely(self, changes: Sequence[Change], written: asyncio.Future[None]) -> None:
        while True:
            try:
                await written
            except StoreUnavailable as error:
                self.on_storage_fault(str(error))
                await asyncio.sleep(STORE_RETRY_SECONDS)
                written = self.writer.write_beside(changes)
            except StoreTakenOver as error:
                self.on_stale(str(error))
                raise
            else:
                self.on_storage_good()
                return

    def on_storage_fault(self, why: str) -> None:
        """Hold all starts while the store cannot be written."""
        if self.storage_fault is None:
            log.error("the store cannot be written: %s", why)
        self.storage_fault = why
        self.hold_or_go_on()

    def on_storage_good(self) -> None:
        """Let starts go on once the store took a write again."""
        if self.storage_fault is not None:
            log.warning("the store can be written again")
            self.storage_fault = None
            self.hold_or_go_on()

    def on_stale(self, why: str) -> None:
        """Another manager took the store over: start nothing more, until the server notices and ends."""
        log.error("this manager is not the store's writer any more: %s", why)
        self.core.pause()
        self.is_stale = True

    def set_guard(self, why: str | None) -> None:
        """Hold starts for a reason that was measured on the node, or let them go on."""
        if why != self.guard:
            self.guard = why
            self.hold_or_go_on()

    def set_paused_while(self, why: str | None) -> None:
        """Start nothing for a reason that `pause_when` names, or go on; `pause` holds beside it."""
        if why != self.core.held:
            log.info("%s", why or "pause_when holds no more")
            self.core.held = why
            self.pump()

    def hold_or_go_on(self) -> None:
        """Hold starts on each node where something stands against them, and let the others go on."""
        fault = f"the store cannot be written: {self.storage_fault}" if self.storage_fault else None
        for name in (self.capacity.node, *self.others):
            self.core.on_guard(name, fault or self.guard_on(name))
        self.pump()

    def guard_on(self, name: str) -> str | None:
        """Say why nothing may start on a node, if it is for the node."""
        if name in self.drained:
            return f"drained; `runyard undrain {name}` lets runs start there again"
        node = self.others.get(name)
        return node.guard if node else self.guard

    def _next_in_line(self, count: int) -> list[RunId]:
        return [run.run_id for run in self.core.first_queued(count)]

    async def close(self) -> None:
        """Stop background work and release the store."""
        if self._clock is not None:
            self._clock.cancel()
        self.noted_starts.write()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        for node in self.others.values():
            await node.close()
        self.agent.close()
        await asyncio.to_thread(self.writer.close)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("%s failed", task.get_name(), exc_info=error)


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work
