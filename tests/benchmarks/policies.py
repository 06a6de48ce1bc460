"""Who decides what starts: the production core, and two simple schedulers to measure it against.

All three go by priority first. The simple ones use the core's ledgers and its order of nodes, so what differs is
only which run may start when; they know no limits of batches and modules.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from typing import Protocol

from runyard_actors.request import Request
from runyard_actors.run import Placement, RunId
from runyard_actors.scheduling.core import Core, QueuedRun, Start
from runyard_actors.scheduling.dependencies import Dependencies
from runyard_actors.scheduling.line import Shape
from runyard_actors.scheduling.node import NO_USE, NodeSpec
from runyard_actors.scheduling.nodes import Nodes
from tests.benchmarks.workload import Submission

Started = tuple[RunId, Placement]


class Policy(Protocol):
    """A scheduler as the simulator sees it."""

    def submit(self, submission: Submission) -> None:
        """Runs are submitted."""

    def end(self, run_id: RunId) -> None:
        """A run ended, and did so well."""

    def decide(self) -> Sequence[Started]:
        """Return what starts now."""


class Production:
    """The scheduling core as the manager drives it."""

    def __init__(self, nodes: Iterable[NodeSpec], slots: int) -> None:
        self._core = Core(max_concurrent_runs=slots)
        self._ended: set[RunId] = set()
        for spec in nodes:
            self._core.on_node(spec)

    def submit(self, submission: Submission) -> None:
        """Queue runs; as the manager does, tell how those ended that they come after."""
        for run_id in {each for run in submission.runs for each in run.after} & self._ended:
            self._core.on_dependency_state(run_id, succeeded=True)
        self._core.on_submitted(submission.runs, submission.batch)

    def end(self, run_id: RunId) -> None:
        """Free what a run held."""
        self._ended.add(run_id)
        self._core.on_ended(run_id, succeeded=True, retry=False)

    def decide(self) -> Sequence[Started]:
        """Return what the core starts."""
        return [(each.run_id, each.placement) for each in self._core.decide() if isinstance(each, Start)]


class _Simple(ABC):
    """What both simple schedulers do alike: find a node, hold and free, wait for other runs."""

    def __init__(self, nodes: Iterable[NodeSpec]) -> None:
        self._nodes = Nodes()
        for spec in nodes:
            self._nodes.put(spec, ())
        self._shapes: dict[Request, Shape] = {}
        self._open: dict[RunId, QueuedRun] = {}
        self._held: dict[RunId, Placement] = {}
        self._dependencies = Dependencies()
        self._seq = 0

    def submit(self, submission: Submission) -> None:
        """Queue runs, or let them wait for those they come after."""
        for run in submission.runs:
            self._open[run.run_id] = run
        for run in submission.runs:
            if run.after:
                self._dependencies.add(run.run_id, run.after, self._open)
            if not self._dependencies.missing(run.run_id):
                self._enter(run)

    def end(self, run_id: RunId) -> None:
        """Free what a run held, and queue those that waited for it."""
        self._nodes.give(self._open.pop(run_id).request, self._held.pop(run_id), NO_USE)
        for waiting in self._dependencies.tell(run_id, succeeded=True).free:
            self._enter(self._open[waiting])
        self._dependencies.trim()

    def decide(self) -> Sequence[Started]:
        """Return what starts now."""
        freed, self._nodes.freed = self._nodes.freed, {}
        for ledger in freed:
            for request in self._shapes:
                if ledger.fit(request) is not None:
                    self._may_fit(request)
        return list(self._starts())

    def _enter(self, run: QueuedRun) -> None:
        if run.request not in self._shapes:
            self._shapes[run.request] = Shape(0, run.request)
        self._seq += 1
        self._queue(run, self._seq)

    def _take(self, run: QueuedRun) -> Placement | None:
        """Hold what a run asks for on the first node that has it; None if none has."""
        found = self._nodes.find(self._shapes[run.request], None)
        if found is None:
            return None
        ledger, gpus = found
        placement = self._held[run.run_id] = ledger.placement(gpus)
        ledger.take(run.request, placement)
        return placement

    @abstractmethod
    def _may_fit(self, request: Request) -> None:
        """Something became free that a request fits in."""

    @abstractmethod
    def _queue(self, run: QueuedRun, seq: int) -> None:
        """Put a run into the queue; `seq` counts up."""

    @abstractmethod
    def _starts(self) -> Iterator[Started]:
        """Start what may start now, and yield each run with its placement."""


class StrictFifo(_Simple):
    """First come, first served: while the first run does not fit, nothing starts."""

    def __init__(self, nodes: Iterable[NodeSpec]) -> None:
        super().__init__(nodes)
        self._line: list[tuple[int, int, QueuedRun]] = []

    def _queue(self, run: QueuedRun, seq: int) -> None:
        heappush(self._line, (-run.priority, seq, run))

    def _may_fit(self, request: Request) -> None:
        """Only the first run counts, and that is looked at anyway."""

    def _starts(self) -> Iterator[Started]:
        while self._line and (placement := self._take(self._line[0][2])) is not None:
            yield heappop(self._line)[2].run_id, placement


class NaiveBackfill(_Simple):
    """What fits starts, in the order of arrival: nothing is kept for a run that does not fit."""

    def __init__(self, nodes: Iterable[NodeSpec]) -> None:
        super().__init__(nodes)
        self._lines: dict[Request, dict[int, deque[tuple[int, QueuedRun]]]] = {}
        self._hopeful: dict[Request, None] = {}

    def _queue(self, run: QueuedRun, seq: int) -> None:
        by_priority = self._lines.setdefault(run.request, {})
        line = by_priority.setdefault(run.priority, deque())
        line.append((seq, run))
        self._hopeful[run.request] = None

    def _may_fit(self, request: Request) -> None:
        self._hopeful[request] = None

    def _starts(self) -> Iterator[Started]:
        firsts = [
            (-priority, line[0][0], request)
            for request in self._hopeful
            for priority, line in self._lines[request].items()
            if line
        ]
        heapify(firsts)
        while firsts:
            priority, _, request = firsts[0]
            line = self._lines[request][-priority]
            placement = self._take(line[0][1])
            if placement is None:
                heappop(firsts)
                continue
            yield line.popleft()[1].run_id, placement
            if line:
                heapreplace(firsts, (priority, line[0][0], request))
            else:
                heappop(firsts)
        self._hopeful.clear()
