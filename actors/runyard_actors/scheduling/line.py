"""How the queue is made up: runs stand in lines, lines belong to a lane and to a kind, kinds share a shape.

A *lane* is a batch, or all that is submitted singly, at one priority; lanes take turns. A *kind* is all queued runs
of one priority that ask for the same of the same module: what holds up one of them holds up all. A *line* is where
the two meet, and first come is first served in it. A *shape* is what kinds of several modules ask for alike, and
remembers on which nodes it may still fit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from runyard_actors.request import Request
from runyard_actors.run import BatchId, BatchSpec, Placement
from runyard_actors.scheduling.decision import QueuedRun
from runyard_actors.scheduling.ledger import NodeLedger
from runyard_actors.scheduling.order import Key, Order
from runyard_actors.scheduling.semaphore import Semaphore


class Stage(Enum):
    """Where a run that has not ended stands in the core's books."""

    WAITING = auto()
    QUEUED = auto()
    ACTIVE = auto()


@dataclass(slots=True, eq=False)
class Entry:
    """One run that has not ended. `seq` is its place in the order of arrival; an active one has a placement."""

    run: QueuedRun
    seq: int
    stage: Stage = Stage.WAITING
    placement: Placement | None = None


@dataclass(slots=True, eq=False)
class Batch:
    """A batch of which some run has not ended."""

    spec: BatchSpec
    failures: int = 0
    semaphore: Semaphore[Line] = field(default_factory=Semaphore)

    @property
    def is_stopped(self) -> bool:
        """Whether so many of its runs failed that no further one may start."""
        limit = self.spec.max_failures
        return limit is not None and self.failures >= limit

    def begin_anew(self) -> None:
        """More runs are asked for: if it was stopped, it is no longer."""
        if self.is_stopped:
            self.failures = 0


@dataclass(slots=True, eq=False)
class Shape:
    """What kinds of one priority ask for alike.

    It may fit on the nodes of `freed`, and on those from `cursor` on in the order of nodes, which were not tried
    yet; on all others it does not fit. `able` are the nodes that could hold it when empty, once that was asked.
    """

    priority: int
    request: Request
    cursor: int = 0
    freed: dict[str, NodeLedger] = field(default_factory=dict)
    able: Sequence[NodeLedger] | None = None
    kinds: dict[Kind, None] = field(default_factory=dict)


class Kind:
    """The queued runs of one priority that ask for the same of the same module."""

    __slots__ = ("length", "lines", "module", "module_id", "order", "shape")

    def __init__(self, shape: Shape, module_id: str, module: Semaphore[Kind]) -> None:
        self.shape = shape
        self.module_id = module_id
        self.module = module
        self.lines: Order[Line] = Order(Line.key)
        #: The order in which it is listed, None while set aside.
        self.order: Order[Kind] | None = None
        #: How many lines it has, listed or set aside.
        self.length = 0

    @property
    def priority(self) -> int:
        """The priority of all its runs."""
        return self.shape.priority

    def key(self) -> Key | None:
        """Return the place of its best run in the order of all; None if no line is listed."""
        line = self.lines.first()
        if line is None:
            return None
        return (-self.shape.priority, line.lane.turn, line.entries[0].seq)

    def is_before(self, other: Kind) -> bool:
        """Whether its best run stands before the other's; both have one."""
        own, others = self.key(), other.key()
        return own is not None and others is not None and own < others


@dataclass(slots=True, eq=False)
class Lane:
    """The queued runs of one batch, or all single ones, at one priority. `turn` is the round it starts next in."""

    priority: int
    batch_id: BatchId | None
    batch: Batch | None
    turn: int
    length: int = 0
    lines: dict[tuple[Request, str], Line] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Line:
    """The runs of one lane and one kind, by arrival."""

    lane: Lane
    kind: Kind
    entries: deque[Entry] = field(default_factory=deque)

    def key(self) -> Key | None:
        """Return its place among the lines of its kind; None if it is empty."""
        return (self.lane.turn, self.entries[0].seq) if self.entries else None

    def index(self, seq: int) -> int:
        """Return how many of its runs came before `seq`."""
        low, high = 0, len(self.entries)
        while low < high:
            middle = (low + high) // 2
            if self.entries[middle].seq < seq:
                low = middle + 1
            else:
                high = middle
        return low
