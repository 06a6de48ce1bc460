"""The core: what may start now, decided from what happened so far and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from runyard_actors.request import Request
from runyard_actors.run import BatchId, BatchSpec, Placement, RunId
from runyard_actors.scheduling.admission import Admission
from runyard_actors.scheduling.decision import Counts, Drop, HeadOfQueue, QueuedRun, Start
from runyard_actors.scheduling.line import Stage
from runyard_actors.scheduling.more_memory import with_more_memory
from runyard_actors.scheduling.node import Measured, NodeFree, NodeSpec
from runyard_actors.scheduling.rehearsal import FIRST, expected_starts
from runyard_actors.scheduling.runs import Runs
from runyard_actors.scheduling.waiting import never_fits_words, waiting_words

__all__ = ["Core", "Counts", "Drop", "HeadOfQueue", "QueuedRun", "Start"]


class Core:
    """A deterministic state machine. Call `on_...` for what happened, then `decide` for what follows."""

    def __init__(self, *, max_concurrent_runs: int) -> None:
        self.is_paused = False
        #: Why nothing starts for now, in words for people; it comes and goes by itself, beside `pause`.
        self.held: str | None = None
        self._admission = Admission(max_concurrent_runs)
        self._runs = Runs(self._admission)

    # What the world looks like

    def pause(self) -> None:
        """Start nothing until `resume`."""
        self.is_paused = True

    def resume(self) -> None:
        """Start runs again."""
        self.is_paused = False

    def set_max_concurrent_runs(self, limit: int) -> None:
        """Change the semaphore; what is active stays so."""
        self._admission.limits.total.limit = limit

    def set_module_limit(self, module_id: str, limit: int | None) -> None:
        """Limit how many runs of a module are active at once; None lifts the limit."""
        self._admission.set_module_limit(module_id, limit)

    def on_node(self, spec: NodeSpec) -> None:
        """A node is there, or its capacity changed; what runs on it goes on."""
        self._admission.set_node(spec)

    def on_node_gone(self, name: str) -> None:
        """A node is gone; its runs stay active until they are told to have ended."""
        self._admission.drop_node(name)

    def on_guard(self, node: str, why: str | None) -> None:
        """Hold new starts on a node for a reason, in words for people, or let them go on."""
        self._admission.set_guard(node, why)

    def on_measured(self, node: str, measured: Measured) -> None:
        """Learn what is truly free of a node's memory, and what its active runs used at that moment.

        From then on a run starts there only if that, less all that the other active runs declared and have not used
        yet, is as much as it declares: for memory, and for the memory of a single GPU. What ended runs used is free
        again at once; what started since is taken to use nothing yet. Until the first call only what is declared
        counts, and so it does for a node that is not there.
        """
        self._admission.set_measured(node, measured)

    # What happens to runs

    def on_batch(self, batch: BatchSpec, *, failures: int = 0) -> None:
        """Learn a batch's limits, and how many of its runs have failed so far."""
        known = self._admission.set_batch(batch)
        known.failures = failures
        self._runs.stop_if_failed(known)

    def on_submitted(self, runs: Sequence[QueuedRun], batch: BatchSpec | None = None) -> None:
        """Queue runs in this order; those that come after others wait for them to complete.

        `after` may name runs of the same submission, runs that have not ended, and ended ones that the core knows
        of: lately ended ones, and those it was told of by `on_dependency_state`. Any other is taken as lost.
        A batch that was stopped for its failures, and is given more runs, is counted from zero again.
        """
        if batch is not None:
            self._admission.set_batch(batch).begin_anew()
        known = self._runs
        for entry in [known.enter(run) for run in runs if run.run_id not in known.entries]:
            known.queue_or_wait(entry)

    def on_adopted(self, run: QueuedRun, placement: Placement) -> None:
        """A run is active already: it holds its slot and resources, even beyond what there is."""
        if run.run_id not in self._runs.entries:
            self._admission.adopt(self._runs.enter(run), placement)

    def on_dependency_state(self, run_id: RunId, *, succeeded: bool) -> None:
        """Learn how a run ended that runs to come may name in `after`."""
        if run_id not in self._runs.entries:
            self._runs.settle(run_id, succeeded=succeeded)

    def on_ended(
        self,
        run_id: RunId,
        *,
        succeeded: bool,
        retry: bool,
        is_failure: bool = True,
        request: Request | None = None,
        not_before: int | None = None,
    ) -> None:
        """An active run ended: free what it held; queue it again, or settle what depends on it.

        `request`: what a run that is queued again asks for from now on, if not for the same. `not_before`: the moment
        that it then waits for, in microseconds since the epoch.
        `is_failure` False: a run that did not succeed does not count for `max_failures`, as one that was cancelled.
        """
        entry = self._runs.active(run_id)
        if entry is None:
            return
        self._admission.release(entry)
        if retry:
            self._runs.retry(entry, request, not_before)
        else:
            self._runs.finish(entry, succeeded=succeeded, is_failure=is_failure)

    def on_start_failed(self, run_id: RunId) -> None:
        """A start could not be carried out: the run stands where it stood before."""
        if (entry := self._runs.active(run_id)) is not None:
            self._runs.start_failed(entry)

    def on_held(self, run_id: RunId) -> bool:
        """Have a run wait until it is released; return False if it is active or not known."""
        entry = self._runs.inactive(run_id)
        if entry is not None:
            self._runs.hold(entry)
        return entry is not None

    def on_priority(self, run_id: RunId, priority: int) -> bool:
        """Give a run another priority, and its place by arrival in it; return False if it is not known.

        An active run goes on, and has it should it be queued again.
        """
        entry = self._runs.entries.get(run_id)
        if entry is not None:
            self._runs.rank(entry, priority)
        return entry is not None

    def on_batch_limit(self, batch_id: BatchId, max_concurrent: int | None) -> None:
        """Change how many runs of a batch are active at once; what is active stays so."""
        batch = self._admission.limits.batches.get(batch_id)
        if batch is not None:
            self._admission.set_batch(replace(batch.spec, max_concurrent=max_concurrent))

    def on_batch_closed(self, batch_id: BatchId) -> None:
        """An open batch is given no more runs."""
        self._admission.limits.close_batch(batch_id)

    def on_batch_awaited(self, batch_id: BatchId) -> None:
        """A batch has not ended that runs to come may name in place of a run that they come after."""
        self._runs.dependencies.on_batch(RunId(batch_id))

    def on_batch_ended(self, batch_id: BatchId, *, succeeded: bool) -> None:
        """A batch has ended, closed and with all its runs; `succeeded`: each of its indexes completed at last."""
        self._runs.dependencies.on_batch(RunId(batch_id))
        self._runs.settle(RunId(batch_id), succeeded=succeeded)

    def on_released(self, run_id: RunId) -> bool:
        """Hold a run no more; return False if it is active or not known."""
        entry = self._runs.inactive(run_id)
        if entry is None:
            return False
        self._runs.holding.release(run_id)
        if entry.stage is Stage.WAITING:
            self._runs.go_on(entry)
        return True

    @property
    def next_moment(self) -> int | None:
        """When `on_time` is to be called next, in microseconds since the epoch; None: nobody waits for that."""
        holding = self._runs.holding
        return holding.next_moment if holding else None

    def on_time(self, now: int) -> None:
        """It is `now`, in microseconds since the epoch: queue whose moment has come, drop who waited too long."""
        for run_id, is_deadline in self._runs.holding.pop_due(now):
            entry = self._runs.inactive(run_id)
            if entry is not None and is_deadline:
                self._runs.give_up(entry, self.waiting_for(run_id))
            elif entry is not None:
                self._runs.go_on(entry)

    def on_cancelled(self, run_id: RunId) -> bool:
        """Forget a run that is not active; return False if it is active or not known."""
        entry = self._runs.inactive(run_id)
        if entry is not None:
            self._runs.remove([entry])
        return entry is not None

    def on_batch_cancelled(self, batch_id: BatchId) -> list[RunId]:
        """Forget all of a batch that is not active; return their ids."""
        entries = self._runs.inactive_of(batch_id)
        self._runs.remove(entries)
        return [entry.run.run_id for entry in entries]

    def waiting_on(self, run_id: RunId) -> list[tuple[RunId, BatchId | None]]:
        """Return the runs that still wait for a run, or for a batch, each with the batch that it belongs to."""
        entries = self._runs.entries
        return [(each, entries[each].run.batch_id) for each in self._runs.dependencies.after(run_id)]

    def inactive_of(self, batch_id: BatchId) -> list[RunId]:
        """Return the runs of a batch that are not active and have not ended, by arrival."""
        return [entry.run.run_id for entry in self._runs.inactive_of(batch_id)]

    # What follows

    def decide(self, limit: int | None = None) -> list[Start | Drop]:
        """Return who never will start, and who starts now, at most `limit` of the latter."""
        decisions: list[Start | Drop] = list(self._runs.drops.values())
        self._runs.drops.clear()
        if self.is_paused or self.held:
            return decisions
        last = None if limit is None else len(decisions) + limit
        while len(decisions) != last and (entry := self._admission.next_start()) is not None:
            run, placement = entry.run, entry.placement
            if placement is not None:
                decisions.append(Start(run.run_id, run.batch_id, placement))
        return decisions

    def waiting_for(self, run_id: RunId) -> str | None:
        """Say what a run that is not active waits for; None if it is active or not known."""
        entry = self._runs.inactive(run_id)
        if entry is None:
            return None
        if entry.stage is Stage.WAITING:
            return self._runs.dependencies.words(run_id) or self._runs.holding.words(run_id)
        if self.is_paused:
            return "starts are paused"
        if self.held:
            return self.held
        return waiting_words(entry, self._admission)

    def expected_starts(
        self, durations: Mapping[str, float | None], elapsed: Mapping[RunId, float], count: int = FIRST
    ) -> dict[RunId, float | None]:
        """Return in how many seconds each of the first queued runs may be expected to start, in their order.

        `durations`: how many seconds a run of each module is expected to take; None, or not there: nobody knows.
        `elapsed`: how many seconds active runs took so far. None for a run whose start depends on what nobody knows,
        or cannot come while all stays as it is. Runs that wait for others to complete are not among the queued.
        """
        if self.is_paused:
            return {entry.run.run_id: None for entry in self._admission.queue.first(count)}
        return expected_starts(self._admission, durations, elapsed, count)

    def first_queued(self, count: int = FIRST) -> list[QueuedRun]:
        """Return the runs that `expected_starts` tells of."""
        return [entry.run for entry in self._admission.queue.first(count)]

    def can_ever_fit(self, request: Request) -> str | None:
        """Return None if some node could hold the request with nothing else on it, else a sentence."""
        return never_fits_words(request, self._admission.nodes)

    def with_more_memory(self, request: Request, factor: float, *, of_gpu: bool = False) -> Request | None:
        """Return a request with that many times the memory, at most what a node has; None if that is no more."""
        return with_more_memory(request, factor, self._admission.nodes, of_gpu=of_gpu)

    def has_node(self, name: str) -> bool:
        """Whether a node is there."""
        return name in self._admission.nodes.by_name

    def knows(self, run_id: RunId) -> bool:
        """Whether a run has not ended, of those that it was told of."""
        return run_id in self._runs.entries

    def counts(self) -> Counts:
        """Return how many runs there are of each kind."""
        admission = self._admission
        return Counts(admission.limits.total.taken, admission.queue.length, self._runs.waiting)

    def free_on(self, node: str) -> NodeFree:
        """Return what is not declared on a node. Raises KeyError for one that is not there."""
        return self._admission.nodes.by_name[node].free()

    @property
    def head(self) -> HeadOfQueue | None:
        """The run that no other of its priority or a lower one may delay; None while there is no need for one."""
        head = self._admission.head
        if head is None:
            return None
        kept = head.reservation
        room = Placement(node=kept.node, gpu_indexes=kept.gpu_indexes) if kept else None
        return HeadOfQueue(head.entry.run.run_id, room)
