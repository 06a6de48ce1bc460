"""How the queue is made up: runs stand in lines, lines belong to a lane and to a kind, kinds share a shape.

A *lane* is a batch, or all that is submitted singly, at one priority; lanes take turns. A *kind* is all queued runs
of one priority that ask for the same of the same module: what holds up one of them holds up all. A *line* is where
the two meet, and first come is first served in it. A *shape* is what kinds of several modules ask for alike: what
holds up one for want of room holds up all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from runyard_actors.request import Request
from runyard_actors.run import BatchId, BatchSpec, Placement
from runyard_actors.scheduling.decision import QueuedRun
from runyard_actors.scheduling.order import Key, Order
from runyard_actors.scheduling.semaphore import Semaphore

if TYPE_CHECKING:
    from runyard_actors.scheduling.node_group import NodeGroup


class Stage(Enum):
    """Where a run that has not ended stands in the core's books."""

    WAITING = auto()
    QUEUED = auto()
    ACTIVE = auto()


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
class Entry:
    """One run that has not ended, and the semaphores that it takes slots of.

    `seq` is its place in the order of arrival; a queued one stands in a line, an active one has a placement.
    """

    run: QueuedRun
    seq: int
    module: Semaphore[Kind]
    batch: Batch | None
    stage: Stage = Stage.WAITING
    placement: Placement | None = None


class Place(Enum):
    """Where a shape stands: it may fit somewhere; it fits on no node but those that are open; set aside."""

    READY = auto()
    BLOCKED = auto()
    ASIDE = auto()


class Shape:
    """What kinds of one priority ask for alike.

    Its needs lie flat beside the request, as they are compared most often of all. `kinds` are those that wait for
    nothing but a node and a slot of the yard. `bound` is at most its key, while it is blocked. `sole` is its line
    while it has but one, which is asked without a look at the kinds.
    """

    __slots__ = (
        "able",
        "bound",
        "cpu",
        "is_particular",
        "kinds",
        "length",
        "memory",
        "needs_gpu",
        "place",
        "priority",
        "request",
        "share",
        "sole",
        "vram",
        "whole",
    )

    def __init__(self, priority: int, request: Request) -> None:
        self.priority = priority
        self.request = request
        self.cpu = request.cpu_milli
        self.memory = request.memory_bytes
        self.whole = request.whole_gpus
        self.share = 0 if self.whole else request.gpu_milli
        self.vram = request.gpu_memory_bytes
        self.needs_gpu = request.needs_gpu
        #: Whether more than CPU and memory says where it fits.
        self.is_particular = request.needs_gpu or bool(request.node)
        self.place = Place.ASIDE
        self.kinds: Order[Kind] = Order(Kind.key)
        #: How many kinds it has, listed or set aside.
        self.length = 0
        #: The groups of nodes that could hold it when empty, once that was asked.
        self.able: Sequence[NodeGroup] | None = None
        self.bound: Key = ()
        self.sole: Line | None = None

    def key(self) -> Key:
        """Return the place of its best run in the order of all. It has a kind that is listed."""
        sole = self.sole
        if sole is not None:
            return (-self.priority, sole.lane.turn, sole.entries[0].seq)
        turn, seq = self.kinds.least()
        return (-self.priority, turn, seq)

    def line(self) -> Line:
        """Return the line of its best run, just after its key was asked for."""
        return self.sole or self.kinds.top().lines.top()


class Kind:
    """The queued runs of one priority that ask for the same of the same module."""

    __slots__ = ("length", "lines", "module", "module_id", "shape")

    def __init__(self, shape: Shape, module_id: str, module: Semaphore[Kind]) -> None:
        self.shape = shape
        self.module_id = module_id
        self.module = module
        self.lines: Order[Line] = Order(Line.key)
        #: How many lines it has, listed or set aside.
        self.length = 0

    def key(self) -> Key:
        """Return the place of its best run among those of its shape. It has a line that is listed."""
        return self.lines.least()


@dataclass(slots=True, eq=False)
class Lane:
    """The queued runs of one batch, or all single ones, at one priority. `turn` is the round it starts next in.

    `oldest` is its line with the oldest run, just after its key was asked for.
    """

    priority: int
    batch_id: BatchId | None
    batch: Batch | None
    turn: int
    length: int = 0
    lines: dict[tuple[Request, str], Line] = field(default_factory=dict)
    oldest: Line | None = None

    def key(self) -> tuple[int, int, int]:
        """Return the place of its oldest run in the order of all, as if nothing held it up."""
        least = None
        for line in self.lines.values():
            seq = line.entries[0].seq
            if least is None or seq < least:
                least, self.oldest = seq, line
        return (-self.priority, self.turn, least or 0)


@dataclass(slots=True, eq=False)
class Line:
    """The runs of one lane and one kind, by arrival."""

    lane: Lane
    kind: Kind
    entries: deque[Entry] = field(default_factory=deque)

    def key(self) -> Key:
        """Return its place among the lines of its kind. It is not empty."""
        return (self.lane.turn, self.entries[0].seq)

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
