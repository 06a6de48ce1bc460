"""Limits: the slots of the yard, of each module and of each batch. A run takes one of each that it belongs to."""

from __future__ import annotations

from dataclasses import replace

from runyard_actors.run import BatchId, BatchSpec
from runyard_actors.scheduling.decision import QueuedRun
from runyard_actors.scheduling.line import Batch, Entry, Kind
from runyard_actors.scheduling.semaphore import Semaphore


class Limits:
    """The semaphores, kept while they have a limit or a run that has not ended."""

    def __init__(self, max_concurrent_runs: int) -> None:
        self.total: Semaphore[Kind] = Semaphore(max_concurrent_runs)
        self.modules: dict[str, Semaphore[Kind]] = {}
        self.batches: dict[BatchId, Batch] = {}

    def enter(self, run: QueuedRun, seq: int) -> Entry:
        """Count a run that has not ended, and return it with the semaphores that it takes slots of."""
        self.total.members += 1
        module = self.modules.get(run.module_id)
        if module is None:
            module = self.modules[run.module_id] = Semaphore()
        module.members += 1
        batch = None
        if run.batch_id is not None:
            batch = self.batches.get(run.batch_id) or self.put_batch(BatchSpec(batch_id=run.batch_id))
            batch.semaphore.members += 1
        return Entry(run, seq, module, batch)

    def leave(self, entry: Entry) -> None:
        """A run ended; forget what only it kept."""
        self.total.members -= 1
        module, batch = entry.module, entry.batch
        module.members -= 1
        if not module.members and module.limit is None:
            del self.modules[entry.run.module_id]
        if batch is not None:
            batch.semaphore.members -= 1
            if not batch.semaphore.members and not batch.spec.is_open:
                del self.batches[batch.spec.batch_id]

    def take(self, entry: Entry) -> None:
        """Give a run its slots."""
        self.total.taken += 1
        entry.module.taken += 1
        if entry.batch is not None:
            entry.batch.semaphore.taken += 1

    def give(self, entry: Entry) -> None:
        """Take a run's slots back."""
        self.total.taken -= 1
        entry.module.taken -= 1
        if entry.batch is not None:
            entry.batch.semaphore.taken -= 1

    def set_module(self, module_id: str, limit: int | None) -> Semaphore[Kind]:
        """Set or lift a module's limit."""
        module = self.modules.setdefault(module_id, Semaphore())
        module.limit = limit
        if limit is None and not module.members:
            del self.modules[module_id]
        return module

    def put_batch(self, spec: BatchSpec) -> Batch:
        """Learn of a batch, or of its new limits."""
        batch = self.batches.get(spec.batch_id)
        if batch is None:
            batch = self.batches[spec.batch_id] = Batch(spec)
        batch.spec = spec
        batch.semaphore.limit = spec.max_concurrent
        return batch

    def close_batch(self, batch_id: BatchId) -> None:
        """An open batch is given no more runs: it is kept for as long as one of its runs has not ended."""
        batch = self.batches.get(batch_id)
        if batch is None:
            return
        batch.spec = replace(batch.spec, is_open=False)
        if not batch.semaphore.members:
            del self.batches[batch_id]

    def copy_limits(self, other: Limits) -> None:
        """Have the limits of other books, of modules and of batches."""
        for module_id, module in other.modules.items():
            if module.limit is not None:
                self.set_module(module_id, module.limit)
        for batch in other.batches.values():
            self.put_batch(batch.spec)
