"""The queue in its order: priority, then fair turns between lanes, then first come first served."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from runyard_actors.request import Request
from runyard_actors.run import BatchId
from runyard_actors.scheduling.line import Batch, Entry, Kind, Lane, Line, Shape, Stage
from runyard_actors.scheduling.order import Order
from runyard_actors.scheduling.semaphore import Semaphore


class Queue:
    """All queued runs. `ready` are the kinds that may have room; `blocked` those known to fit on no node now."""

    def __init__(self) -> None:
        self.ready: Order[Kind] = Order(Kind.key)
        self.blocked: Order[Kind] = Order(Kind.key)
        self.shapes: dict[tuple[int, Request], Shape] = {}
        self.length = 0
        self._kinds: dict[tuple[Shape, str], Kind] = {}
        self._lanes: dict[tuple[int, BatchId | None], Lane] = {}
        self._lane_counts: Counter[int] = Counter()
        self._rounds: dict[int, int] = {}

    def add(self, entry: Entry, batch: Batch | None, module: Semaphore[Kind]) -> None:
        """Queue a run by its arrival: behind all of its lane that came before it."""
        line = self._line(entry, batch, module)
        if line.entries and line.entries[-1].seq > entry.seq:
            line.entries.insert(line.index(entry.seq), entry)
        else:
            line.entries.append(entry)
        entry.stage = Stage.QUEUED
        line.lane.length += 1
        self.length += 1
        if len(line.entries) == 1 or line.entries[0] is entry:
            self.relist(line)

    def remove(self, entry: Entry) -> None:
        """Take a run out, wherever it stands."""
        line = self.line_of(entry)
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
        for line in lane.lines.values():
            self.relist(line)

    def move(self, kind: Kind, order: Order[Kind] | None) -> None:
        """List a kind as ready or as blocked, or, with None, set it aside."""
        if kind.order is not None and kind.order is not order:
            kind.order.discard(kind)
        kind.order = order
        if order is not None:
            order.put(kind)

    def park(self, line: Line, batch: Batch) -> None:
        """Set a line aside until a slot of its batch is free."""
        line.kind.lines.discard(line)
        batch.semaphore.parked[line] = None

    def relist(self, line: Line) -> None:
        """List a line again, or at a new place."""
        line.kind.lines.put(line)
        if line.kind.order is not None:
            line.kind.order.put(line.kind)

    def line_of(self, entry: Entry) -> Line:
        """Return the line in which a queued run stands."""
        run = entry.run
        return self._lanes[run.priority, run.batch_id].lines[run.request, run.module_id]

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

    def _others(self, lane: Lane) -> Iterator[Lane]:
        return (
            other for other in self._lanes.values() if other is not lane and other.priority >= lane.priority
        )

    def _line(self, entry: Entry, batch: Batch | None, module: Semaphore[Kind]) -> Line:
        run = entry.run
        lane = self._lanes.get((run.priority, run.batch_id))
        if lane is None:
            # A lane joins at the end of the current round. Joining at its start would let an endless row of
            # new lanes go before one that just had its turn.
            turn = self._rounds.get(run.priority, 0) + 1
            lane = Lane(run.priority, run.batch_id, batch, turn)
            self._lanes[run.priority, run.batch_id] = lane
            self._lane_counts[run.priority] += 1
        line = lane.lines.get((run.request, run.module_id))
        if line is None:
            kind = self._kind(run.priority, run.request, run.module_id, module)
            kind.length += 1
            line = lane.lines[run.request, run.module_id] = Line(lane, kind)
        return line

    def _kind(self, priority: int, request: Request, module_id: str, module: Semaphore[Kind]) -> Kind:
        shape = self.shapes.get((priority, request))
        if shape is None:
            shape = self.shapes[priority, request] = Shape(priority, request)
        kind = self._kinds.get((shape, module_id))
        if kind is None:
            kind = self._kinds[shape, module_id] = Kind(shape, module_id, module)
            kind.order = self.ready
            shape.kinds[kind] = None
        return kind

    def _forget(self, line: Line) -> None:
        lane, kind = line.lane, line.kind
        del lane.lines[kind.shape.request, kind.module_id]
        if not lane.lines:
            del self._lanes[lane.priority, lane.batch_id]
            self._lane_counts[lane.priority] -= 1
        kind.lines.discard(line)
        kind.length -= 1
        if not kind.length:
            self._forget_kind(kind)

    def _forget_kind(self, kind: Kind) -> None:
        self.move(kind, None)
        shape = kind.shape
        del self._kinds[shape, kind.module_id]
        del shape.kinds[kind]
        if not shape.kinds:
            del self.shapes[shape.priority, shape.request]


def _ahead_in(lane: Lane, turn: int, entry: Entry) -> int:
    """Return how many of another lane's runs start before the turn of `entry`."""
    if lane.priority > entry.run.priority:
        return lane.length
    is_older = min(line.entries[0].seq for line in lane.lines.values()) < entry.seq
    return min(lane.length, max(0, turn - lane.turn + is_older))
