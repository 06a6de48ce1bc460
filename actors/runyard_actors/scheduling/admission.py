"""Admission: gives slots and resources to queued runs, in order, and takes them back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runyard_actors.run import BatchSpec, Placement
from runyard_actors.scheduling.head import Head
from runyard_actors.scheduling.ledger import NodeLedger
from runyard_actors.scheduling.limits import Limits
from runyard_actors.scheduling.line import Batch, Entry, Kind, Line, Shape, Stage
from runyard_actors.scheduling.node import NodeSpec
from runyard_actors.scheduling.nodes import Nodes
from runyard_actors.scheduling.queue import Queue
from runyard_actors.scheduling.semaphore import Semaphore


class Admission:
    """The queue in front of the limits and the nodes.

    Each kind of run is in one of four places: ready; blocked, as no node has room; parked at its module, whose
    slots are taken; or set aside, as no node could ever hold it. It is looked at again only when what holds it up
    changed, so a decision does not depend on how many runs are queued.
    """

    def __init__(self, max_concurrent_runs: int) -> None:
        self.limits = Limits(max_concurrent_runs)
        self.nodes = Nodes()
        self.queue = Queue()
        self.head: Head | None = None
        #: Whether a blocked kind may fit on a node on which something became free.
        self._has_offers = False

    def next_start(self) -> Entry | None:
        """Give the next run its slots, resources and placement; None if none may start now."""
        self._look_at_freed()
        while self.limits.total.has_room():
            if self._has_offers:
                self._take_up_offers()
            kind = self.queue.ready.first()
            if kind is not None and self.head is None and self.queue.blocked:
                self._choose_head(kind)
            if self.head is not None and (kind is None or kind.priority <= self.head.priority):
                if started := self._try_head(self.head):
                    return started
                if self.head is None:
                    continue
            if kind is None:
                return None
            if started := self._try(kind):
                return started
        return None

    def enqueue(self, entry: Entry) -> None:
        """Queue a run; its slots and resources, if it had some, are free before."""
        run = entry.run
        self.queue.add(entry, self.limits.batch_of(run), self.limits.modules[run.module_id])

    def dequeue(self, entry: Entry) -> None:
        """A queued run is gone."""
        if self.head is not None and self.head.entry is entry:
            self._lift()
        self.queue.remove(entry)

    def adopt(self, entry: Entry, placement: Placement) -> None:
        """A run holds slots and resources already, even beyond what there is."""
        self.limits.take(entry.run)
        self.nodes.take(entry.run.request, placement)
        entry.stage, entry.placement = Stage.ACTIVE, placement

    def release(self, entry: Entry) -> None:
        """Free what an active run holds."""
        placement, entry.placement = entry.placement, None
        if placement is not None:
            self.limits.give(entry.run)
            self.nodes.give(entry.run.request, placement)
            self._reopen(self.limits.modules[entry.run.module_id], self.limits.batch_of(entry.run))

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

    def set_node(self, spec: NodeSpec, active: Iterable[Entry]) -> None:
        """A node is there, or has another capacity; `active` are the runs on it."""
        self.nodes.put(spec, [(e.run.request, e.placement) for e in active if e.placement is not None])
        self._look_at_all()

    def drop_node(self, name: str) -> None:
        """A node is gone."""
        self.nodes.drop(name)
        self._look_at_all()

    def set_guard(self, name: str, why: str | None) -> None:
        """Hold starts on a node, or let them go on. A head that could wait elsewhere does."""
        self.nodes.guard(name, why)
        room = self.head.placed_reservation if self.head is not None else None
        if self.head is None or room is None or room.node != name or why is None:
            return
        if any(ledger.guard is None for ledger in self.head.able):
            self._lift()

    def _try(self, kind: Kind) -> Entry | None:
        """Start the best run of a kind, or put what holds it up out of the way."""
        line = kind.lines.first()
        if line is None:
            return None
        if not self._has_room(kind.module, line):
            kind.module.parked[kind] = None
            self.queue.move(kind, None)
            return None
        batch = line.lane.batch
        if batch is not None and not self._has_room(batch.semaphore, line):
            self.queue.park(line, batch)
            return None
        placement = self._place(line)
        if placement is None:
            self._block(kind)
            return None
        return self._start(line.entries[0], placement)

    def _place(self, line: Line) -> Placement | None:
        """Find a node for the first run of a line, beside what is kept for the head."""
        shape, head = line.kind.shape, self.head
        is_bound = head is not None and line.kind.priority <= head.priority and line is not head.line
        while (ledger := self.nodes.candidate(shape)) is not None:
            gpus = ledger.fit(shape.request)
            if gpus is not None and head is not None and is_bound:
                room = head.reservation()
                if room.node == ledger.spec.name:
                    gpus = room.fit(ledger, shape.request)
            if gpus is not None:
                return ledger.placement(gpus)
            self.nodes.reject(shape)
        return None

    def _start(self, entry: Entry, placement: Placement) -> Entry:
        self.queue.count_turn(self.queue.line_of(entry).lane)
        self.queue.remove(entry)
        self.adopt(entry, placement)
        if self.head is not None and self.head.entry is entry:
            self._lift()
        return entry

    def _block(self, kind: Kind) -> None:
        """No node has room for a kind now. Of a higher priority than the head's, it is what must not be delayed."""
        self.queue.move(kind, self.queue.blocked)
        if self.head is not None and kind.priority > self.head.priority:
            self._lift()

    def _choose_head(self, behind: Kind) -> None:
        """Make the first blocked run the head, if it stands before `behind` and waits for resources alone."""
        while (
            self.head is None
            and (first := self.queue.blocked.first()) is not None
            and first.is_before(behind)
        ):
            self._make_head(first)

    def _make_head(self, kind: Kind) -> None:
        """Make the best run of a blocked kind the head, or put it out of the way if it waits for more."""
        line = kind.lines.first()
        batch = line.lane.batch if line is not None else None
        if not kind.module.has_room():
            kind.module.parked[kind] = None
            self.queue.move(kind, None)
        elif line is not None and batch is not None and not batch.semaphore.has_room():
            self.queue.park(line, batch)
        elif line is not None and (able := self._able(kind.shape)):
            self.head = Head(line.entries[0], line, able)
        else:
            self.queue.move(kind, None)

    def _try_head(self, head: Head) -> Entry | None:
        """Start the head where it fits; give up what is kept for it if it waits for more than resources."""
        if not head.has_slots:
            self._lift()
            return None
        found = head.test()
        if found is None:
            return None
        ledger, gpus = found
        return self._start(head.entry, ledger.placement(gpus))

    def _lift(self) -> None:
        """There is no head any more: what was kept for it is open to all."""
        head, self.head = self.head, None
        if head is None:
            return
        room = head.placed_reservation
        if room is not None and (ledger := self.nodes.by_name.get(room.node)):
            self._offer(ledger)
        self._reopen(head.line.kind.module, head.batch)

    def _has_room(self, semaphore: Semaphore[Kind] | Semaphore[Line], line: Line) -> bool:
        """Whether a slot is free for a line, beside the one that is kept for the head."""
        head = self.head
        if head is None or line is head.line or line.kind.priority > head.priority:
            return semaphore.has_room()
        is_shared = semaphore is head.line.kind.module or (
            head.batch is not None and semaphore is head.batch.semaphore
        )
        return semaphore.has_room(int(is_shared))

    def _reopen(self, module: Semaphore[Kind] | None, batch: Batch | None) -> None:
        """Slots of a module or a batch may be free: look again at what was parked there."""
        if module is not None and module.parked:
            for kind in module.unpark():
                self.queue.move(kind, self.queue.ready)
        if batch is not None and batch.semaphore.parked:
            for line in batch.semaphore.unpark():
                self.queue.relist(line)

    def _look_at_freed(self) -> None:
        if self.nodes.freed:
            freed, self.nodes.freed = self.nodes.freed, {}
            for ledger in freed.values():
                self._offer(ledger)

    def _offer(self, ledger: NodeLedger) -> None:
        """Something became free on a node: note it with all that would fit there now."""
        if ledger.guard is not None:
            return
        name = ledger.spec.name
        if self.head is not None:
            self.head.untested[name] = ledger
        for shape in self.queue.shapes.values():
            if ledger.fit_beside_guard(shape.request) is not None:
                shape.freed[name] = ledger
                self._has_offers = True

    def _take_up_offers(self) -> None:
        """Make blocked kinds ready that were offered a node.

        In order, one by one, down to the first that is blocked still. That one is the head, and of those behind it
        only the ones that leave it its room are worth a try.
        """
        while self.head is None:
            first, ready = self.queue.blocked.first(), self.queue.ready.first()
            if first is None:
                self._has_offers = False
                return
            if ready is not None and ready.is_before(first):
                return
            if first.shape.freed:
                self.queue.move(first, self.queue.ready)
            else:
                self._make_head(first)
        self._has_offers = False
        for shape in self.queue.shapes.values():
            blocked = (
                [kind for kind in shape.kinds if kind.order is self.queue.blocked] if shape.freed else ()
            )
            if blocked:
                shape.freed = {n: each for n, each in shape.freed.items() if self._leaves_room(each, shape)}
            for kind in blocked if shape.freed else ():
                self.queue.move(kind, self.queue.ready)

    def _leaves_room(self, ledger: NodeLedger, shape: Shape) -> bool:
        """Whether a shape fits on a node beside what is kept there for the head."""
        if ledger.fit(shape.request) is None:
            return False
        if self.head is None or shape.priority > self.head.priority:
            return True
        room = self.head.reservation()
        return room.node != ledger.spec.name or room.fit(ledger, shape.request) is not None

    def _able(self, shape: Shape) -> Sequence[NodeLedger]:
        if shape.able is None:
            shape.able = self.nodes.able(shape.request)
        return shape.able

    def _look_at_all(self) -> None:
        """The nodes are others than before: nothing is known of where what fits."""
        head = self.head
        if head is not None and (able := self.nodes.able(head.entry.run.request)):
            head.renew(able, self.nodes.by_name)
        else:
            self._lift()
        for shape in self.queue.shapes.values():
            shape.cursor, shape.able = 0, None
            shape.freed.clear()
            for kind in shape.kinds:
                self.queue.move(kind, self.queue.ready)
