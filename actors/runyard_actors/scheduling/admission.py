"""Admission: gives slots and resources to queued runs, in order, and takes them back."""

from __future__ import annotations

from runyard_actors.run import BatchSpec, Placement
from runyard_actors.scheduling.active import Active
from runyard_actors.scheduling.head import Head
from runyard_actors.scheduling.ledger import NodeLedger
from runyard_actors.scheduling.limits import Limits
from runyard_actors.scheduling.line import Batch, Entry, Kind, Line, Place, Shape, Stage
from runyard_actors.scheduling.node import Measured, NodeSpec
from runyard_actors.scheduling.nodes import Nodes
from runyard_actors.scheduling.offers import Offers
from runyard_actors.scheduling.queue import Queue
from runyard_actors.scheduling.semaphore import Semaphore


class Admission:
    """The queue in front of the limits and the nodes.

    Each shape of runs is in one of three places: ready, as some node may have room; blocked, as none has, but those
    where something became free since; or set aside, as no node could ever hold it, or all its runs wait for slots of
    their module or batch. When something becomes free on a node, only blocked shapes that fit there are looked at, so
    a decision does not depend on how many runs are queued, and hardly on how many shapes they have.
    """

    def __init__(self, max_concurrent_runs: int) -> None:
        self.limits = Limits(max_concurrent_runs)
        self.nodes = Nodes()
        self.queue = Queue()
        self.head: Head | None = None
        self.active = Active()
        self._offers = Offers()
        #: Shapes that were set aside as other programs hold what they need, until that is measured again.
        self._outside: dict[Shape, None] = {}

    def next_start(self) -> Entry | None:
        """Give the next run its slots, resources and placement; None if none may start now."""
        if self.nodes.freed:
            self._look_at_freed()
        total = self.limits.total
        while total.has_room():
            head = self.head
            if head is not None and self._is_next(head):
                if started := self._try_head(head):
                    return started
                if self.head is None:
                    continue
            shape, ledger = self._first()
            if shape is None:
                return None
            if head is None and self._choose_head(shape):
                continue
            if started := self._try(shape, ledger):
                return started
        return None

    def enqueue(self, entry: Entry) -> None:
        """Queue a run; its slots and resources, if it had some, are free before."""
        self.queue.add(entry)

    def dequeue(self, entry: Entry) -> None:
        """A queued run is gone."""
        if self.head is not None and self.head.entry is entry:
            self._lift()
        self.queue.remove(entry, self.queue.line_of(entry))

    def adopt(self, entry: Entry, placement: Placement) -> None:
        """A run holds slots and resources already, even beyond what there is."""
        self.limits.take(entry)
        self.nodes.take(entry.run.request, placement)
        self.active.add(entry, placement.node)
        entry.stage, entry.placement = Stage.ACTIVE, placement

    def release(self, entry: Entry) -> None:
        """Free what an active run holds."""
        placement, entry.placement = entry.placement, None
        if placement is not None:
            self.limits.give(entry)
            self.nodes.give(entry.run.request, placement, self.active.remove(entry, placement.node))
            self._reopen(entry.module, entry.batch)

    def withdraw(self, entry: Entry) -> None:
        """A start did not happen: the run gets its place and its turn back."""
        self.release(entry)
        self._lift()
        self.enqueue(entry)
        self.queue.undo_turn(self.queue.line_of(entry).lane)

    def set_module_limit(self, module_id: str, limit: int | None) -> None:
        """Change a module's limit."""
        self._reopen(self.limits.set_module(module_id, limit), None)

    def set_batch(self, spec: BatchSpec) -> Batch:
        """Learn of a batch, or of its new limits."""
        batch = self.limits.put_batch(spec)
        self._reopen(None, batch)
        return batch

    def set_node(self, spec: NodeSpec) -> None:
        """A node is there, or has another capacity; what is active on it goes on."""
        self.nodes.put(spec, self.active.held_on(spec.name))
        self._look_at_all()

    def drop_node(self, name: str) -> None:
        """A node is gone."""
        self.nodes.drop(name)
        self._look_at_all()

    def set_guard(self, name: str, why: str | None) -> None:
        """Hold starts on a node, or let them go on. A head that could wait elsewhere does."""
        self.nodes.guard(name, why)
        room = self.head.reservation if self.head is not None else None
        if self.head is None or room is None or room.node != name or why is None:
            return
        if any(ledger.guard is None for group in self.head.able for ledger in group.ledgers):
            self._lift()

    def set_measured(self, name: str, measured: Measured) -> None:
        """Learn what is truly free on a node. A run that only other programs leave no room is not the head."""
        self.active.note_use(name, measured.used)
        self.nodes.measure(name, measured, self.active.held_on(name))
        for shape in self._outside:
            if shape.place is Place.ASIDE and shape.kinds:
                self.queue.move(shape, Place.READY)
        self._outside.clear()
        if self.head is not None and not self.head.could_start(self.nodes.by_name):
            self._lift()

    def _first(self) -> tuple[Shape | None, NodeLedger | None]:
        """Return the first shape in the queue's order that may have room, and where, if that is known."""
        queue, head = self.queue, self.head
        ready = queue.first_ready() if queue.ready else None
        kept = None if head is None else head.reservation or head.keep()
        offer = self._offers.first(queue.blocked, kept)
        if offer is None or (ready is not None and ready.key() < offer[0].bound):
            return ready, None
        return offer

    def _is_next(self, head: Head) -> bool:
        """Whether the head goes before all that may fit. No blocked shape has a higher priority than it."""
        ready = self.queue.ready.first() if self.queue.ready else None
        return ready is None or ready.priority <= head.priority

    def _try(self, shape: Shape, ledger: NodeLedger | None) -> Entry | None:
        """Start the best run of a shape, or put what holds it up out of the way."""
        line = shape.line()
        kind = line.kind
        if not self._has_room(kind.module, line):
            self.queue.park_kind(kind)
            return None
        batch = line.lane.batch
        if batch is not None and not self._has_room(batch.semaphore, line):
            self.queue.park(line, batch)
            return None
        head = self.head
        kept = head.keep() if head is not None and shape.priority <= head.priority else None
        found = self.nodes.find(shape, kept) if ledger is None else self.nodes.fit(ledger, shape, kept)
        if found is None:
            self._block(shape)
            return None
        return self._start(line, line.entries[0], found[0].placement(found[1]))

    def _start(self, line: Line, entry: Entry, placement: Placement) -> Entry:
        self.queue.count_turn(line.lane)
        self.queue.remove(entry, line)
        self.adopt(entry, placement)
        if self.head is not None and self.head.entry is entry:
            self._lift()
        return entry

    def _block(self, shape: Shape) -> None:
        """No node has room for a shape now. Of a higher priority than the head's, it is what must not be delayed."""
        self.queue.move(shape, Place.BLOCKED)
        if self.head is not None and shape.priority > self.head.priority:
            self._lift()

    def _choose_head(self, behind: Shape) -> bool:
        """Make the first blocked run the head if it stands before `behind`; return False if it does not."""
        first = self.queue.blocked.first()
        if first is None or first is behind or behind.key() < first.bound:
            return False
        self._make_head(first)
        return True

    def _make_head(self, shape: Shape) -> None:
        """Make the best run of a blocked shape the head, or put it out of the way if it waits for more."""
        line = shape.line()
        kind = line.kind
        batch = line.lane.batch
        if not kind.module.has_room():
            self.queue.park_kind(kind)
        elif batch is not None and not batch.semaphore.has_room():
            self.queue.park(line, batch)
        elif self.nodes.could_hold_now(shape):
            self.head = Head(line.entries[0], line, shape.able or ())
        else:
            self._outside[shape] = None
            self.queue.move(shape, Place.ASIDE)

    def _try_head(self, head: Head) -> Entry | None:
        """Start the head where it fits; give up what is kept for it if it waits for more than resources."""
        if not head.has_slots:
            self._lift()
            return None
        found = head.test() if head.untested else None
        if found is None:
            return None
        ledger, gpus = found
        return self._start(head.line, head.entry, ledger.placement(gpus))

    def _lift(self) -> None:
        """There is no head any more: what was kept for it is open to all."""
        head, self.head = self.head, None
        if head is None:
            return
        room = head.reservation
        if room is not None and (ledger := self.nodes.by_name.get(room.node)):
            self._offers.open(ledger)
        self._reopen(head.entry.module, head.entry.batch)

    def _has_room(self, semaphore: Semaphore[Kind] | Semaphore[Line], line: Line) -> bool:
        """Whether a slot is free for a line, beside the one that is kept for the head."""
        if semaphore.limit is None:
            return True
        head = self.head
        if head is None or line is head.line or line.lane.priority > head.priority:
            return semaphore.has_room()
        batch = head.entry.batch
        is_shared = semaphore is head.entry.module or (batch is not None and semaphore is batch.semaphore)
        return semaphore.has_room(int(is_shared))

    def _reopen(self, module: Semaphore[Kind] | None, batch: Batch | None) -> None:
        """Slots of a module or a batch may be free: look again at what was parked there."""
        if module is not None and module.parked:
            for kind in module.unpark():
                self.queue.relist_kind(kind)
        if batch is not None and batch.semaphore.parked:
            for line in batch.semaphore.unpark():
                self.queue.relist(line)

    def _look_at_freed(self) -> None:
        """Open the nodes on which something became free, for the head and for what is blocked."""
        freed, self.nodes.freed = self.nodes.freed, {}
        for ledger in freed:
            if ledger.guard is None:
                self._offers.open(ledger)
                if self.head is not None:
                    self.head.untested[ledger] = None

    def _look_at_all(self) -> None:
        """The nodes are others than before: nothing is known of where what fits."""
        head, by_name = self.head, self.nodes.by_name
        if head is not None:
            head.renew(self.nodes.able(head.entry.run.request), by_name)
            if not head.could_start(by_name):
                self._lift()
        self._offers.clear()
        self._outside.clear()
        for shape in self.queue.shapes.values():
            shape.able = None
            if shape.kinds:
                self.queue.move(shape, Place.READY)
