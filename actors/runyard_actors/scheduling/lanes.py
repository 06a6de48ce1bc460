"""Lanes: the queue in its order: priority, then fair turns between lanes, then first come first served.

A lane holds the queued runs of one batch, or all that were submitted singly, at one priority. Within a lane, runs
that ask for the same of the same module form a line: if the first of a line can't start, none behind it can.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from operator import itemgetter

from runyard_actors.request import Request
from runyard_actors.run import BatchId, Placement
from runyard_actors.scheduling.decision import QueuedRun

_arrival = itemgetter(0)


@dataclass(slots=True, eq=False)
class Entry:
    """One run in the core's books. `seq` is its place in the order of arrival; `placement` is set while active."""

    run: QueuedRun
    seq: int
    is_queued: bool = False
    placement: Placement | None = None
    missing: set[str] | None = None


@dataclass(slots=True, eq=False)
class Line:
    """Runs of one lane that ask for the same of the same module, the first come first."""

    request: Request
    module_id: str
    entries: deque[Entry] = field(default_factory=deque)

    @property
    def head(self) -> Entry | None:
        """The first run that is still queued; ones that left the queue are dropped on the way."""
        while self.entries and not self.entries[0].is_queued:
            self.entries.popleft()
        return self.entries[0] if self.entries else None


@dataclass(slots=True, eq=False)
class Lane:
    """The queued runs of one batch at one priority. `turn` counts its starts, from the turn it came in at."""

    priority: int
    batch_id: BatchId | None
    turn: int = 0
    length: int = 0
    is_listed: bool = False
    lines: dict[tuple[Request, str], Line] = field(default_factory=dict)

    def lines_in_order(self) -> list[tuple[int, Line]]:
        """Return the lines that hold a run, by their first run's arrival; empty ones are forgotten."""
        if len(self.lines) == 1:
            line = next(iter(self.lines.values()))
            if (head := line.head) is not None:
                return [(head.seq, line)]
        found = [(head.seq, line) for line in self.lines.values() if (head := line.head) is not None]
        if len(found) < len(self.lines):
            self.lines = {(line.request, line.module_id): line for _, line in found}
        found.sort(key=_arrival)
        return found


class Lanes:
    """All lanes, in the order in which they may start a run."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[int, BatchId | None], Lane] = {}
        self._order: list[tuple[int, int, int, Lane]] = []
        self._turns: dict[int, int] = {}
        self._tie = 0
        self.length = 0

    def add(self, entry: Entry, *, in_front: bool = False) -> None:
        """Queue a run at the end of its line, or in front of it."""
        run = entry.run
        lane = self._lane(run)
        key = (run.request, run.module_id)
        line = lane.lines.get(key)
        if line is None:
            line = lane.lines[key] = Line(run.request, run.module_id)
        line.entries.appendleft(entry) if in_front else line.entries.append(entry)
        entry.is_queued = True
        if not lane.length:
            lane.turn = max(lane.turn, self._turns.get(run.priority, 0))
        lane.length += 1
        self.length += 1
        self.list(lane)

    def remove(self, entry: Entry) -> None:
        """Take a run out of the queue, wherever in it it stands."""
        entry.is_queued = False
        lane = self._lanes[entry.run.priority, entry.run.batch_id]
        lane.length -= 1
        self.length -= 1
        if not lane.length:
            lane.lines.clear()
            if lane.batch_id is not None and not lane.is_listed:
                del self._lanes[lane.priority, lane.batch_id]

    def started(self, lane: Lane) -> None:
        """Count a start as the lane's turn, and send it behind the others."""
        self._turns[lane.priority] = max(self._turns.get(lane.priority, 0), lane.turn)
        lane.turn += 1

    def next(self) -> Lane | None:
        """Take the lane whose turn it is out of the order; `list` puts it back."""
        while self._order:
            _, turn, _, lane = heappop(self._order)
            lane.is_listed = False
            if lane.length and turn == lane.turn:
                return lane
            if lane.length:
                self.list(lane)
            elif lane.batch_id is not None:
                self._lanes.pop((lane.priority, lane.batch_id), None)
        return None

    def list(self, lane: Lane) -> None:
        """Put a lane into the order at its turn."""
        if not lane.is_listed and lane.length:
            lane.is_listed = True
            self._tie += 1
            heappush(self._order, (-lane.priority, lane.turn, self._tie, lane))

    def of_batch(self, batch_id: BatchId | None) -> Iterator[Lane]:
        """Yield the lanes of a batch: one for each priority in it."""
        return (lane for (_, each), lane in self._lanes.items() if each == batch_id)

    def _lane(self, run: QueuedRun) -> Lane:
        key = (run.priority, run.batch_id)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(run.priority, run.batch_id)
        return lane
