"""The queue in its order: priority, then fair turns between lanes, then first come first served."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from heapq import heappop, heapreplace, merge, nsmallest
from itertools import chain
from typing import Final

from runyard_actors.request import Request
from runyard_actors.run import BatchId
from runyard_actors.scheduling.decision import QueuedRun
from runyard_actors.scheduling.line import Batch, Entry, Kind, Lane, Line, Place, Shape, Stage
from runyard_actors.scheduling.order import Key, Order
from runyard_actors.scheduling.semaphore import Semaphore
from runyard_actors.scheduling.shape_index import ShapeIndex

#: How many lines a lane has at most whose oldest run is looked for in all of them.
FEW: Final = 32


class Queue:
    """All queued runs. `ready` are the shapes that may fit somewhere; `blocked` those that do on open nodes at most."""

    def __init__(self) -> None:
        self.ready: Order[Shape] = Order(Shape.key)
        self.blocked = ShapeIndex()
        self.shapes: dict[tuple[int, Request], Shape] = {}
        self.length = 0
        self._kinds: dict[tuple[Shape, str], Kind] = {}
        self._lanes: dict[tuple[int, BatchId | None], Lane] = {}
        self._by_turn: Order[Lane] = Order(Lane.key)
        #: How many lanes have more than a few lines.
        self._wide = 0
        self._lane_counts: Counter[int] = Counter()
        self._rounds: dict[int, int] = {}

    def first_ready(self) -> Shape | None:
        """Return the first shape in the queue's order that may have room; None if there is none.

        While nothing is blocked, the lane whose turn it is tells which: each start moves one lane, and all its lines.
        """
        if len(self._lanes) > 1 and not self.blocked and not self._wide:
            lane = self._by_turn.first()
            line = lane.oldest if lane is not None else None
            if line is not None and _is_ready(line):
                line.kind.shape.key()
                return line.kind.shape
        return self.ready.first()

    def add(self, entry: Entry) -> None:
        """Queue a run by its arrival: behind all of its lane that came before it."""
        line = self._line(entry)
        if line.entries and line.entries[-1].seq > entry.seq:
            line.entries.insert(line.index(entry.seq), entry)
        else:
            line.entries.append(entry)
        entry.stage = Stage.QUEUED
        line.lane.length += 1
        self.length += 1
        if len(line.entries) == 1 or line.entries[0] is entry:
            self.relist(line)
            self._rank(line.lane)

    def remove(self, entry: Entry, line: Line) -> None:
        """Take a run out of its line, wherever it stands."""
        if line.entries[0] is entry:
            line.entries.popleft()
        else:
            del line.entries[line.index(entry.seq)]
        line.lane.length -= 1
        self.length -= 1
        if not line.entries:
            self._forget(line)

    def count_turn(self, lane: Lane) -> None:
        """Its first run starts, and is still counted: the next is for the next round.

        A lane that was held up gets no turns back.
        """
        if self._lane_counts[lane.priority] <= 1:
            # With nobody to take turns with there are no rounds, and the places of its lines stay as they are.
            return
        current = max(lane.turn, self._rounds.get(lane.priority, 0))
        self._rounds[lane.priority] = current
        lane.turn = current + 1

    def undo_turn(self, lane: Lane) -> None:
        """A start did not happen."""
        lane.turn = max(lane.turn - 1, self._rounds.get(lane.priority, 0))
        self._rank(lane)
        for line in lane.lines.values():
            self.relist(line)

    def move(self, shape: Shape, place: Place) -> None:
        """List a shape as ready or as blocked, or set it aside."""
        if shape.place is not place:
            if shape.place is Place.READY:
                self.ready.discard(shape)
            elif shape.place is Place.BLOCKED:
                self.blocked.discard(shape)
            shape.place = place
        if place is Place.READY:
            self.ready.put(shape)
        elif place is Place.BLOCKED:
            self.blocked.put(shape)

    def park(self, line: Line, batch: Batch) -> None:
        """Set a line aside until a slot of its batch is free."""
        batch.semaphore.parked[line] = None
        line.kind.lines.discard(line)
        self._unlist_empty(line.kind)

    def park_kind(self, kind: Kind) -> None:
        """Set a kind aside until a slot of its module is free."""
        kind.module.parked[kind] = None
        kind.shape.kinds.discard(kind)
        if not kind.shape.kinds:
            self.move(kind.shape, Place.ASIDE)

    def relist(self, line: Line) -> None:
        """List a line again, or at a new place, unless it is gone."""
        if line.entries:
            line.kind.lines.put(line)
            self.relist_kind(line.kind)

    def relist_kind(self, kind: Kind) -> None:
        """List a kind again, or at a new place, if it is not parked and has lines.

        A shape that had no kind listed may fit anywhere: it was left out while nodes were looked at.
        """
        shape = kind.shape
        if kind.lines and kind not in kind.module.parked:
            shape.kinds.put(kind)
            self.move(shape, Place.READY if shape.place is Place.ASIDE else shape.place)

    def line_of(self, entry: Entry) -> Line:
        """Return the line in which a queued run stands."""
        run = entry.run
        return self._lanes[run.priority, run.batch_id].lines[run.request, run.module_id]

    def find_line(self, run: QueuedRun) -> Line | None:
        """Return the line in which a run would stand, None if there is none."""
        lane = self._lanes.get((run.priority, run.batch_id))
        return lane.lines.get((run.request, run.module_id)) if lane is not None else None

    def entries_of(self, batch_id: BatchId) -> list[Entry]:
        """Return the queued runs of a batch by arrival."""
        lanes = [lane for lane in self._lanes.values() if lane.batch_id == batch_id]
        found = [entry for lane in lanes for line in lane.lines.values() for entry in line.entries]
        return sorted(found, key=lambda entry: entry.seq)

    def position(self, entry: Entry) -> int:
        """Return the run's place in the whole queue if each run before it starts in its turn; 1 is the first."""
        run = entry.run
        lane = self._lanes[run.priority, run.batch_id]
        ahead = sum(line.index(entry.seq) for line in lane.lines.values())
        turn = lane.turn + ahead
        return 1 + ahead + sum(_ahead_in(other, turn, entry) for other in self._others(lane))

    def first(self, count: int) -> list[Entry]:
        """Return so many queued runs, in the order in which they start if each starts in its turn."""
        heap: list[tuple[int, int, int, Iterator[Entry]]] = [
            (*key, merge(*[line.entries for line in lane.lines.values()], key=_arrival))
            for key, lane in nsmallest(count, ((lane.key(), lane) for lane in self._lanes.values()), key=_key)
        ]
        found: list[Entry] = []
        while heap and len(found) < count:
            priority, turn, _, entries = heap[0]
            found.append(next(entries))
            following = next(entries, None)
            if following is None:
                heappop(heap)
                continue
            turn += self._lane_counts[-priority] > 1
            heapreplace(heap, (priority, turn, following.seq, chain([following], entries)))
        return found

    def copy_turns(self, other: Queue) -> None:
        """Let the lanes have the turns that they have in another queue."""
        self._rounds = dict(other._rounds)
        for key, lane in self._lanes.items():
            lane.turn = other._lanes[key].turn
            self._rank(lane)
            for line in lane.lines.values():
                self.relist(line)

    def _others(self, lane: Lane) -> Iterator[Lane]:
        return (
            other for other in self._lanes.values() if other is not lane and other.priority >= lane.priority
        )

    def _line(self, entry: Entry) -> Line:
        run = entry.run
        lane = self._lanes.get((run.priority, run.batch_id))
        if lane is None:
            # A lane joins at the end of the current round. Joining at its start would let an endless row of
            # new lanes go before one that just had its turn.
            turn = self._rounds.get(run.priority, 0) + 1
            lane = Lane(run.priority, run.batch_id, entry.batch, turn)
            self._lanes[run.priority, run.batch_id] = lane
            self._lane_counts[run.priority] += 1
        line = lane.lines.get((run.request, run.module_id))
        if line is None:
            kind = self._kind(run.priority, run.request, run.module_id, entry.module)
            line = lane.lines[run.request, run.module_id] = Line(lane, kind)
            kind.length += 1
            _find_sole(kind, line)
            if len(lane.lines) == FEW + 1:
                self._wide += 1
                self._by_turn.discard(lane)
        return line

    def _rank(self, lane: Lane) -> None:
        """Its place among the lanes may be one before that of until now."""
        if len(lane.lines) <= FEW:
            self._by_turn.put(lane)

    def _kind(self, priority: int, request: Request, module_id: str, module: Semaphore[Kind]) -> Kind:
        shape = self.shapes.get((priority, request))
        if shape is None:
            shape = self.shapes[priority, request] = Shape(priority, request)
        kind = self._kinds.get((shape, module_id))
        if kind is None:
            kind = self._kinds[shape, module_id] = Kind(shape, module_id, module)
            shape.length += 1
        return kind

    def _forget(self, line: Line) -> None:
        lane, kind = line.lane, line.kind
        del lane.lines[kind.shape.request, kind.module_id]
        if not lane.lines:
            del self._lanes[lane.priority, lane.batch_id]
            self._lane_counts[lane.priority] -= 1
            self._by_turn.discard(lane)
        elif len(lane.lines) == FEW:
            self._wide -= 1
            self._rank(lane)
        kind.lines.discard(line)
        kind.length -= 1
        self._unlist_empty(kind)
        if not kind.length:
            self._forget_kind(kind)

    def _forget_kind(self, kind: Kind) -> None:
        shape = kind.shape
        del self._kinds[shape, kind.module_id]
        shape.length -= 1
        if not shape.length:
            del self.shapes[shape.priority, shape.request]

    def _unlist_empty(self, kind: Kind) -> None:
        """Take a kind without a listed line out, and its shape, if that was its last one."""
        if not kind.lines:
            kind.shape.kinds.discard(kind)
            if not kind.shape.kinds:
                self.move(kind.shape, Place.ASIDE)


def _is_ready(line: Line) -> bool:
    """Whether nothing but a slot of the yard is known to hold up a line."""
    kind = line.kind
    return kind.shape.place is Place.READY and kind in kind.shape.kinds and line in kind.lines


def _find_sole(kind: Kind, line: Line) -> None:
    """Note the first line of a shape, or that it is not alone any more."""
    shape = kind.shape
    shape.sole = line if kind.length == shape.length == 1 else None


def _arrival(entry: Entry) -> int:
    return entry.seq


def _key(each: tuple[Key, Lane]) -> Key:
    return each[0]


def _ahead_in(lane: Lane, turn: int, entry: Entry) -> int:
    """Return how many of another lane's runs start before the turn of `entry`."""
    if lane.priority > entry.run.priority:
        return lane.length
    is_older = min(line.entries[0].seq for line in lane.lines.values()) < entry.seq
    return min(lane.length, max(0, turn - lane.turn + is_older))
