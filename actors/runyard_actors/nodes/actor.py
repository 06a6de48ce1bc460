"""The actor on another node: a thin shell around its node agent, which outlives managers and is found by name.

Every method may be repeated, so each is idempotent. What happens is told as numbered news, which stay until the
manager has them; an answer that got lost is asked for again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from runyard_actors.assignment import Assignment, Started
from runyard_actors.attempt_file import LOG
from runyard_actors.measure import NodeMeasure, Watched
from runyard_actors.node_agent import NodeAgent
from runyard_actors.node_meter import NodeMeter
from runyard_actors.nodes.code_store import forget_old_code, has_code, put_code
from runyard_actors.nodes.contact_keeper import ContactKeeper
from runyard_actors.nodes.fence import end_lost
from runyard_actors.nodes.looks import Looks
from runyard_actors.nodes.messages import FileState, Lost, News, NodeFacts, NodeOrders
from runyard_actors.nodes.near_memory import near_memory
from runyard_actors.nodes.place import contact_file, runs_folder
from runyard_actors.run import AttemptKey, Outcome
from runyard_actors.run_folder import RunFolder
from runyard_actors.stopping import StopOrder, stop_attempt
from runyard_actors.suspending import hold_still
from runyard_actors.timeline import Limits
from runyard_cluster import process
from runyard_cluster.capacity import read_capacity
from runyard_cluster.errors import UnavailableError
from runyard_cluster.origin.finder import OriginFinder
from runyard_cluster.origin.origin import Origin

log = logging.getLogger("runyard.node")


@dataclass(frozen=True, slots=True)
class _Going:
    """An attempt whose process runs: what is told of it, and how it is measured."""

    started: Started
    watched: Watched


class NodeActor:
    """Keeps the attempts of one node, and tells how they go."""

    def __init__(self, orders: NodeOrders, meter: NodeMeter | None = None) -> None:
        """`meter` looks at this node; one of the machine's own if left out."""
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._orders = orders
        self._runs, self._is_shared = runs_folder(orders)
        self._code = self._runs.parent / "code"
        self._origins = OriginFinder(self._code)
        self._agent = NodeAgent()
        self._contact = ContactKeeper(contact_file(self._runs, orders.name))
        self._incarnation = secrets.token_hex(8)
        self._epoch = 0
        self._kept: dict[AttemptKey, asyncio.Task[None]] = {}
        self._going: dict[AttemptKey, _Going] = {}
        self._meter = meter or NodeMeter(has_gpus=False)
        self._looks = Looks(
            self._meter,
            lambda: [going.watched for going in self._going.values()],
            lambda: self._agent.spawner_pids,
        )
        self._news: dict[int, News] = {}
        self._number = 0
        self._has_news = asyncio.Event()

    async def facts(self, epoch: int) -> NodeFacts:
        """Say what this node is and has to the manager that took the store as number `epoch`.

        A later one is answered from then on, and no earlier one. Raises UnavailableError to those.
        """
        if epoch < self._epoch:
            raise UnavailableError(f"another manager has {self._orders.name}")
        if epoch > self._epoch:
            self._epoch, self._incarnation = epoch, secrets.token_hex(8)
        capacity = await asyncio.to_thread(read_capacity, self._orders.reserve_memory)
        self._meter.has_gpus = bool(capacity.gpus)
        self._contact.told_facts()
        return NodeFacts(
            capacity=replace(capacity, node=self._orders.name),
            boot_id=process.boot_id(),
            runs=str(self._runs),
            is_shared=self._is_shared,
            incarnation=self._incarnation,
        )

    async def measure(self, busy_from: float) -> NodeMeasure:
        """Say what all programs together, and each run, use of this machine now.

        Above `busy_from` percent of its CPU it is found out what other programs use.
        """
        return await self._looks.last(busy_from)

    async def near_memory(self, least: Mapping[AttemptKey, int]) -> dict[AttemptKey, int]:
        """Say what those runs hold, in bytes, that hold at least as much as is given for them."""
        return await asyncio.to_thread(near_memory, self._looks.runs(), least)

    async def end_lost(self, lost: Sequence[Lost]) -> list[AttemptKey]:
        """End what is left of attempts that were given up; return those of which something does not die."""
        return await asyncio.to_thread(end_lost, [(self._folder(each.key), each) for each in lost])

    async def keep(self, assignments: Sequence[Assignment]) -> None:
        """Start attempts, or adopt them; news tell the rest. One that is kept already is told of again.

        Raises UnavailableError when this comes so late that the manager may have given the node up meanwhile.
        """
        for assignment in assignments:
            seconds = assignment.contact_seconds
            if seconds and self._contact.is_lost(seconds):
                raise UnavailableError(f"{self._orders.name} was without contact for {seconds:g} s")
            key = (assignment.run_id, assignment.attempt)
            known = self._kept.get(key)
            if known is None:
                folder, code = str(self._folder(key).path), str(self._code)
                contact = self._contact.file
                here = replace(assignment, folder=folder, code_folder=code, contact_file=contact)
                self._kept[key] = asyncio.create_task(self._see_through(key, here))
            elif going := self._going.get(key):
                self._tell(key, started=going.started)

    async def stop(self, orders: Sequence[StopOrder]) -> list[AttemptKey]:
        """Keep attempts from ever starting, or have them end; return those where that cannot be done now."""
        return await asyncio.to_thread(self._stop, orders)

    async def suspend(self, keys: Sequence[AttemptKey], is_suspended: bool) -> list[int | None]:
        """Hold attempts still, or let them go on; return since when each is held still once its shim has acted."""
        folders = [self._folder(key) for key in keys]
        await asyncio.to_thread(hold_still, folders, is_suspended=is_suspended)
        return [folder.suspended_at() for folder in folders]

    async def news(self, incarnation: str, seen: int, limit_seconds: float) -> list[News] | None:
        """Return what happened after news number `seen`, once there is something, or nothing after the limit.

        None: this is another incarnation than the caller knows, which was told nothing of what it is to keep, or it
        works for another manager by now.
        """
        if incarnation != self._incarnation:
            return None
        self._contact.is_asked_for_news()
        for number in [n for n in self._news if n <= seen]:
            del self._news[number]
        if not self._news:
            self._has_news.clear()
            try:
                async with asyncio.timeout(limit_seconds):
                    await self._has_news.wait()
            except TimeoutError:
                pass
        self._contact.told_news()
        return list(self._news.values()) if incarnation == self._incarnation else None

    async def origins(self, places: Sequence[tuple[Sequence[str], str, str | None]]) -> list[Origin]:
        """Say what runs of those commands, folders and snapshots start from here, as it is now."""
        return await asyncio.to_thread(lambda: [self._origins.find(*place) for place in places])

    async def has_code(self, digest: str) -> bool:
        """Say whether a snapshot of code is here; others, that nobody asked for in days, are removed."""
        if not self._is_shared:
            await asyncio.to_thread(forget_old_code, self._code)
        return await asyncio.to_thread(has_code, self._code, digest)

    async def put_code(self, digest: str, offset: int, data: bytes, is_last: bool) -> None:
        """Take a part of a snapshot."""
        await asyncio.to_thread(partial(put_code, self._code, digest, offset, data, is_last=is_last))

    async def files(self, keys: Sequence[AttemptKey]) -> list[list[FileState]]:
        """List the files of attempts."""
        return await asyncio.to_thread(lambda: [_files(self._folder(key)) for key in keys])

    async def read(self, key: AttemptKey, name: str, offset: int, limit: int) -> bytes:
        """Return bytes of one of an attempt's files; none where it is gone."""
        return await asyncio.to_thread(_read, self._folder(key), name, offset, limit)

    async def close(self) -> None:
        """Stop watching; what runs goes on."""
        self._looks.close()
        for task in self._kept.values():
            task.cancel()
        await asyncio.gather(*self._kept.values(), return_exceptions=True)
        self._agent.close()

    async def _see_through(self, key: AttemptKey, assignment: Assignment) -> None:
        outcome = await self._agent.keep(assignment, partial(self._note_started, key, assignment))
        self._going.pop(key, None)
        self._tell(key, outcome=outcome)
        # Handed here again it would be read from its folder, so nothing is to be remembered of it.
        self._kept.pop(key, None)

    def _note_started(self, key: AttemptKey, assignment: Assignment, started: Started) -> None:
        self._going[key] = _Going(started, _watched(assignment, started))
        self._looks.begin()
        self._tell(key, started=started)

    def _tell(self, key: AttemptKey, started: Started | None = None, outcome: Outcome | None = None) -> None:
        self._number += 1
        self._news[self._number] = News(number=self._number, key=key, started=started, outcome=outcome)
        self._has_news.set()

    def _stop(self, orders: Sequence[StopOrder]) -> list[AttemptKey]:
        undone = []
        for order in orders:
            try:
                stop_attempt(self._folder(order.key), order, is_started=order.key in self._going)
            except OSError as error:
                log.warning("run %s cannot be stopped now: %s", order.key[0], error)
                undone.append(order.key)
        return undone

    def _folder(self, key: AttemptKey) -> RunFolder:
        return RunFolder.of(self._runs, *key)


def _watched(assignment: Assignment, started: Started) -> Watched:
    return Watched(
        key=(assignment.run_id, assignment.attempt),
        shim_pid=started.shim_pid,
        gpu_indexes=assignment.gpu_indexes,
        limits=Limits(
            cpu_milli=assignment.cpu_milli,
            memory_bytes=assignment.memory_bytes,
            gpu_memory_bytes=assignment.gpu_memory_bytes,
        ),
        usage_file=RunFolder(assignment.folder).usage_file,
    )


def _files(folder: RunFolder) -> list[FileState]:
    found = []
    try:
        for path in folder.path.iterdir():
            if path.is_file():
                stat = path.stat()
                found.append(FileState(name=path.name, size=stat.st_size, mtime_ns=stat.st_mtime_ns))
    except FileNotFoundError:
        pass
    # The log last: what is told of its times and its gap is never ahead of it then.
    return sorted(found, key=lambda each: (each.name == LOG, each.name))


def _read(folder: RunFolder, name: str, offset: int, limit: int) -> bytes:
    try:
        with (folder.path / name).open("rb") as file:
            file.seek(offset)
            return file.read(limit)
    except FileNotFoundError:
        return b""
