"""The runs that have not ended: who waits for what, and what the end of one means for the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from runyard_actors.request import Request
from runyard_actors.run import BatchId, Reason, RunId
from runyard_actors.scheduling.admission import Admission
from runyard_actors.scheduling.decision import Drop, QueuedRun
from runyard_actors.scheduling.dependencies import NOBODY, Dependencies
from runyard_actors.scheduling.holding import Holding
from runyard_actors.scheduling.line import Batch, Entry, Stage
from runyard_cluster.durations import format_duration


class Runs:
    """A run waits for others, for a moment or for a person, then in the queue, then it is active.

    `drops` are those that never will start, until somebody is told.
    """

    def __init__(self, admission: Admission) -> None:
        self.entries: dict[RunId, Entry] = {}
        self.drops: dict[RunId, Drop] = {}
        self.dependencies = Dependencies()
        self.holding = Holding()
        self._admission = admission
        self._seq = 0

    def active(self, run_id: RunId) -> Entry | None:
        """Return a run if it is active."""
        entry = self.entries.get(run_id)
        return entry if entry is not None and entry.stage is Stage.ACTIVE else None

    def inactive(self, run_id: RunId) -> Entry | None:
        """Return a run if it is known and not active."""
        entry = self.entries.get(run_id)
        return None if entry is None or entry.stage is Stage.ACTIVE else entry

    @property
    def waiting(self) -> int:
        """How many wait for others, for a moment or for a person."""
        missing = self.dependencies.missing
        held = sum(not missing(run_id) for run_id in self.holding.runs) if self.holding else 0
        return len(self.dependencies) + held

    def inactive_of(self, batch_id: BatchId) -> list[Entry]:
        """Return the runs of a batch that are not active, by arrival."""
        waiting = dict.fromkeys((*self.dependencies.waiting, *self.holding.runs))
        entries = (self.entries[run_id] for run_id in waiting)
        found = [each for each in entries if each.run.batch_id == batch_id and each.stage is Stage.WAITING]
        found += self._admission.queue.entries_of(batch_id)
        return sorted(found, key=lambda entry: entry.seq)

    def enter(self, run: QueuedRun) -> Entry:
        """Learn of a run."""
        self._seq += 1
        entry = self.entries[run.run_id] = self._admission.limits.enter(run, self._seq)
        return entry

    def queue_or_wait(self, entry: Entry) -> None:
        """Queue a new run, or let it wait for what it has to."""
        run = entry.run
        if run.run_id not in self.entries:
            return
        if not run.after and run.gates is None:
            self._requeue(entry)
            return
        lost = self._depend(run)
        if lost is not None:
            self._forget(entry)
            self.drops[run.run_id] = Drop(run.run_id, Reason.DEPENDENCY_FAILED, lost)
            self.settle(run.run_id, succeeded=False)
            return
        if run.gates is not None:
            self.holding.add(run.run_id, run.gates)
        self.go_on(entry)

    def go_on(self, entry: Entry) -> None:
        """Queue a run, unless it waits for others, for a moment or for a person."""
        run_id = entry.run.run_id
        if self.dependencies.missing(run_id) or self.holding.holds(run_id):
            entry.stage = Stage.WAITING
        else:
            self._requeue(entry)

    def hold(self, entry: Entry) -> None:
        """Have a run that is not active wait until it is released."""
        if entry.stage is Stage.QUEUED:
            self._admission.dequeue(entry)
            entry.stage = Stage.WAITING
        self.holding.hold(entry.run.run_id)

    def rank(self, entry: Entry, priority: int) -> None:
        """Give a run another priority, and its place by arrival in it."""
        is_queued = entry.stage is Stage.QUEUED
        if is_queued:
            self._admission.dequeue(entry)
        entry.run = replace(entry.run, priority=priority)
        if is_queued:
            self._admission.enqueue(entry)

    def retry(self, entry: Entry, request: Request | None, not_before: int | None) -> None:
        """Queue a run again whose slots and resources are free, as the last to arrive."""
        self._seq += 1
        entry.seq = self._seq
        if request is not None:
            entry.run = replace(entry.run, request=request)
        self.holding.disarm(entry.run.run_id)
        if not_before is not None and not (entry.batch and entry.batch.is_stopped):
            self.holding.delay(entry.run.run_id, not_before)
        self.go_on(entry)

    def finish(self, entry: Entry, *, succeeded: bool, is_failure: bool) -> None:
        """A run has ended whose slots and resources are free."""
        self._forget(entry)
        self.settle(entry.run.run_id, succeeded=succeeded)
        self.dependencies.trim()
        if is_failure and not succeeded:
            self._count_failure(entry.batch)

    def start_failed(self, entry: Entry) -> None:
        """An active run did not start: it stands where it stood before."""
        if entry.batch is not None and entry.batch.is_stopped:
            self._admission.release(entry)
            self._requeue(entry)
        else:
            self._admission.withdraw(entry)
            self.holding.arm(entry.run.run_id)

    def give_up(self, entry: Entry, why: str | None) -> None:
        """Drop a run that had not started by its deadline; `why`: what it waits for."""
        run = entry.run
        limit = format_duration(run.gates.timeout_seconds if run.gates else 0.0)
        words = f"it had not started {limit} after it was submitted; it was waiting: {why}"
        self.remove([entry])
        self.drops[run.run_id] = Drop(run.run_id, Reason.QUEUE_TIMEOUT, words)
        self._count_failure(entry.batch)

    def remove(self, entries: Iterable[Entry]) -> None:
        """Forget runs that are not active, and drop those outside that come after them."""
        gone = list(entries)
        for entry in gone:
            if entry.stage is Stage.QUEUED:
                self._admission.dequeue(entry)
            else:
                self.dependencies.forget(entry.run.run_id)
            self._forget(entry)
        self._settle([(entry.run.run_id, False) for entry in gone])

    def settle(self, run_id: RunId, *, succeeded: bool) -> None:
        """Tell those that waited for a run, or for a batch, that it ended."""
        self._settle([(run_id, succeeded)])

    def stop_if_failed(self, batch: Batch) -> None:
        """Drop what has not started of a batch that failed too often."""
        if batch.is_stopped:
            entries = self.inactive_of(batch.spec.batch_id)
            self.drops |= {e.run.run_id: _batch_stopped(e.run.run_id, batch) for e in entries}
            self.remove(entries)

    def _count_failure(self, batch: Batch | None) -> None:
        if batch is not None:
            batch.failures += 1
            self.stop_if_failed(batch)

    def _depend(self, run: QueuedRun) -> str | None:
        """Have a run wait for those that it comes after; return why it never may start, if that is so."""
        gates = run.gates
        any_end, failure = ((), ()) if gates is None else (gates.after_any, gates.after_failed)
        return self.dependencies.add(run.run_id, run.after, self.entries, any_end=any_end, failure=failure)

    def _requeue(self, entry: Entry) -> None:
        """Queue a run, unless its batch has failed too often meanwhile."""
        batch = entry.batch
        if batch is not None and batch.is_stopped:
            self._forget(entry)
            self.drops[entry.run.run_id] = _batch_stopped(entry.run.run_id, batch)
            self.settle(entry.run.run_id, succeeded=False)
        else:
            self._admission.enqueue(entry)

    def _settle(self, ends: list[tuple[RunId, bool]]) -> None:
        """Tell those that waited for ended runs, and those that waited for them."""
        while ends:
            ended, succeeded = ends.pop()
            told = self.dependencies.tell(ended, succeeded=succeeded)
            if told is NOBODY:
                continue
            for run_id, why in told.lost:
                self._forget(self.entries[run_id])
                self.drops[run_id] = Drop(run_id, Reason.DEPENDENCY_FAILED, why)
                ends.append((run_id, False))
            for run_id in told.free:
                self.go_on(self.entries[run_id])

    def _forget(self, entry: Entry) -> None:
        del self.entries[entry.run.run_id]
        self._admission.limits.leave(entry)
        if self.holding:
            self.holding.forget(entry.run.run_id)


def _batch_stopped(run_id: RunId, batch: Batch) -> Drop:
    count = batch.failures
    words = "run of its batch" if count == 1 else "runs of its batch"
    return Drop(
        run_id, Reason.BATCH_CANCELLED, f"{count} {words} failed; its limit is {batch.spec.max_failures}"
    )
