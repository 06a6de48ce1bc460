"""The core: what may start now, decided from what happened so far and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from runyard_actors.request import Request
from runyard_actors.run import BatchId, BatchSpec, Placement, Reason, RunId
from runyard_actors.scheduling.decision import Drop, QueuedRun, Start
from runyard_actors.scheduling.dependencies import Dependencies
from runyard_actors.scheduling.lanes import Entry, Lane, Lanes
from runyard_actors.scheduling.node import NodeFree, NodeSpec
from runyard_actors.scheduling.nodes import Nodes
from runyard_actors.scheduling.slots import Slots
from runyard_actors.scheduling.waiting import never_fits_words, resources_words


@dataclass(frozen=True, slots=True)
class Counts:
    """How many runs are active, may start, or wait for others to complete."""

    active: int
    queued: int
    waiting_for_dependencies: int


class Core:
    """A deterministic state machine. Call `on_...` for what happened, then `decide` for what follows."""

    def __init__(self, *, max_concurrent_runs: int) -> None:
        self.is_paused = False
        self._slots = Slots(max_concurrent_runs)
        self._nodes = Nodes()
        self._lanes = Lanes()
        self._dependencies = Dependencies()
        self._entries: dict[RunId, Entry] = {}
        self._waiting = 0
        self._max_failures: dict[BatchId, int] = {}
        self._failures: Counter[BatchId] = Counter()
        self._drops: list[Drop] = []
        self._seq = 0

    # What the world looks like

    def pause(self) -> None:
        """Start nothing until `resume`."""
        self.is_paused = True

    def resume(self) -> None:
        """Start runs again."""
        self.is_paused = False

    def set_max_concurrent_runs(self, limit: int) -> None:
        """Change the semaphore; what is active stays so."""
        self._slots.limit = limit

    def set_module_limit(self, module_id: str, limit: int | None) -> None:
        """Limit how many runs of a module are active at once; None lifts the limit."""
        if limit is None:
            self._slots.module_limits.pop(module_id, None)
        else:
            self._slots.module_limits[module_id] = limit

    def on_node(self, spec: NodeSpec) -> None:
        """A node is there, or its capacity changed; what runs on it goes on."""
        active = [e for e in self._entries.values() if e.placement and e.placement.node == spec.name]
        self._nodes.put(spec, [(e.run.request, e.placement) for e in active if e.placement])

    def on_node_gone(self, name: str) -> None:
        """A node is gone; its runs stay active until they are told to have ended."""
        self._nodes.drop(name)

    def on_guard(self, node: str, why: str | None) -> None:
        """Hold new starts on a node for a reason, or let them go on."""
        self._nodes.guard(node, why)

    # What happens to runs

    def on_batch(self, batch: BatchSpec, *, failures: int = 0) -> None:
        """Learn a batch's limits, and how many of its runs have failed so far."""
        if batch.max_concurrent is not None:
            self._slots.batch_limits[batch.batch_id] = batch.max_concurrent
        if batch.max_failures is not None:
            self._max_failures[batch.batch_id] = batch.max_failures
            self._failures[batch.batch_id] = failures

    def on_submitted(self, runs: Sequence[QueuedRun], batch: BatchSpec | None = None) -> None:
        """Queue runs in this order; those that come after others wait for them to complete."""
        if batch is not None and batch.batch_id not in self._failures:
            self.on_batch(batch)
        entries = [self._enter(run) for run in runs]
        for entry in entries:
            self._queue_or_wait(entry)

    def on_adopted(self, run: QueuedRun, placement: Placement) -> None:
        """A run is active already: it holds its slot and resources, even beyond what there is."""
        entry = self._enter(run)
        entry.placement = placement
        self._slots.take(run)
        self._nodes.take(run.request, placement)

    def on_dependency_state(self, run_id: RunId, *, succeeded: bool) -> None:
        """Learn how a run ended that runs to come may name in `after`."""
        self._settle(run_id, succeeded=succeeded)

    def on_ended(self, run_id: RunId, *, succeeded: bool, retry: bool) -> None:
        """An active run ended: free what it held; queue it again, or settle what depends on it."""
        entry = self._entries[run_id]
        self._release(entry)
        if retry:
            self._seq += 1
            entry.seq = self._seq
            self._lanes.add(entry)
            return
        del self._entries[run_id]
        if not succeeded:
            self._count_failure(entry.run.batch_id)
        self._settle(run_id, succeeded=succeeded)

    def on_start_failed(self, run_id: RunId) -> None:
        """A start could not be carried out: the run is first of its line again."""
        entry = self._entries[run_id]
        self._release(entry)
        self._lanes.add(entry, in_front=True)

    def on_cancelled(self, run_id: RunId) -> bool:
        """Forget a run that is not active; return False if it is active or not known."""
        entry = self._entries.get(run_id)
        if entry is None or entry.placement is not None:
            return False
        self._forget(entry)
        self._settle(run_id, succeeded=False)
        return True

    def on_batch_cancelled(self, batch_id: BatchId) -> list[RunId]:
        """Forget all of a batch that is not active; return their ids."""
        gone = [e.run.run_id for e in self._inactive_of(batch_id)]
        for run_id in gone:
            self._forget(self._entries[run_id])
        for run_id in gone:
            self._settle(run_id, succeeded=False)
        self._drops = [d for d in self._drops if d.run_id not in set(gone)]
        return gone

    # What follows

    def decide(self, limit: int | None = None) -> list[Start | Drop]:
        """Return who may start now, at most `limit` of them, and who never will."""
        decisions: list[Start | Drop] = list(self._drops)
        self._drops.clear()
        if self.is_paused:
            return decisions
        passed_over: list[Lane] = []
        while not self._slots.is_full and (limit is None or len(decisions) < limit):
            lane = self._lanes.next()
            if lane is None:
                break
            start = self._start_one(lane)
            if start is None:
                passed_over.append(lane)
            else:
                decisions.append(start)
                self._lanes.list(lane)
        for lane in passed_over:
            self._lanes.list(lane)
        return decisions

    def waiting_for(self, run_id: RunId) -> str | None:
        """Say what a run that is not active waits for; None if it is active or not known."""
        entry = self._entries.get(run_id)
        if entry is None or entry.placement is not None:
            return None
        if entry.missing:
            first = min(entry.missing)
            more = f" and {len(entry.missing) - 1} more" if len(entry.missing) > 1 else ""
            return f"starts after run {first}{more} completed"
        if self.is_paused:
            return "starts are paused"
        words = self._slots.words(entry.run)
        return words or resources_words(entry.run.request, self._nodes.ledgers)

    def can_ever_fit(self, request: Request) -> str | None:
        """Return None if some node could hold the request with nothing else on it, else a sentence."""
        return never_fits_words(request, self._nodes.ledgers)

    def knows(self, run_id: RunId) -> bool:
        """Whether the run is queued, waiting or active."""
        return run_id in self._entries

    def counts(self) -> Counts:
        """Return how many runs there are of each kind."""
        return Counts(self._slots.active, self._lanes.length, self._waiting)

    def free_on(self, node: str) -> NodeFree:
        """Return what is not declared on a node."""
        return self._nodes.ledger(node).free()

    # Inside

    def _start_one(self, lane: Lane) -> Start | None:
        """Start the first run of a lane that can; the first that lacks resources may get a reservation."""
        if self._slots.is_batch_full(lane.batch_id):
            return None
        for _, line in lane.lines_in_order():
            entry = line.head
            if entry is None or self._slots.is_module_full(line.module_id):
                continue
            placement = self._nodes.place(entry.run)
            if placement is None:
                self._nodes.reserve_for(entry.run)
                continue
            self._lanes.remove(entry)
            self._lanes.started(lane)
            entry.placement = placement
            self._slots.take(entry.run)
            return Start(entry.run.run_id, entry.run.batch_id, placement)
        return None

    def _enter(self, run: QueuedRun) -> Entry:
        self._seq += 1
        entry = self._entries[run.run_id] = Entry(run, self._seq)
        return entry

    def _queue_or_wait(self, entry: Entry) -> None:
        outcomes = {r: self._dependencies.outcome(r) for r in entry.run.after}
        missing = [r for r, succeeded in outcomes.items() if succeeded is None and r in self._entries]
        lost = [r for r, succeeded in outcomes.items() if not succeeded and r not in missing]
        if lost:
            self._drop(entry, lost[0])
        elif missing:
            entry.missing = set(missing)
            self._waiting += 1
            self._dependencies.wait(entry.run.run_id, missing)
        else:
            self._lanes.add(entry)

    def _settle(self, run_id: RunId, *, succeeded: bool) -> None:
        """Tell those that waited for a run how it ended, and those that waited for them."""
        ends = [(run_id, succeeded)]
        while ends:
            ended, good = ends.pop()
            for waiting in self._dependencies.ended(ended, succeeded=good):
                entry = self._entries.get(waiting)
                if entry is None or entry.missing is None:
                    continue
                entry.missing.discard(ended)
                if not good:
                    self._forget(entry)
                    self._drops.append(_dependency_failed(waiting, ended))
                    ends.append((waiting, False))
                elif not entry.missing:
                    entry.missing = None
                    self._waiting -= 1
                    self._lanes.add(entry)

    def _drop(self, entry: Entry, because_of: RunId) -> None:
        run_id = entry.run.run_id
        del self._entries[run_id]
        self._drops.append(_dependency_failed(run_id, because_of))
        self._settle(run_id, succeeded=False)

    def _count_failure(self, batch_id: BatchId | None) -> None:
        if batch_id is None or batch_id not in self._max_failures:
            return
        self._failures[batch_id] += 1
        limit = self._max_failures[batch_id]
        if self._failures[batch_id] >= limit:
            detail = f"{limit} runs of its batch failed, and that is its limit"
            gone = self.on_batch_cancelled(batch_id)
            self._drops = [d for d in self._drops if d.run_id not in gone]
            self._drops += [Drop(run_id, Reason.BATCH_CANCELLED, detail) for run_id in gone]

    def _inactive_of(self, batch_id: BatchId) -> list[Entry]:
        return [e for e in self._entries.values() if e.run.batch_id == batch_id and e.placement is None]

    def _forget(self, entry: Entry) -> None:
        del self._entries[entry.run.run_id]
        if entry.is_queued:
            self._lanes.remove(entry)
        elif entry.missing is not None:
            entry.missing = None
            self._waiting -= 1
        self._nodes.release_reservation(entry.run.run_id)

    def _release(self, entry: Entry) -> None:
        placement = entry.placement
        assert placement is not None
        entry.placement = None
        self._slots.give(entry.run)
        self._nodes.give(entry.run.request, placement)


def _dependency_failed(run_id: RunId, because_of: RunId) -> Drop:
    return Drop(run_id, Reason.DEPENDENCY_FAILED, f"run {because_of}, which it comes after, did not complete")
