"""Limits: the slots of the yard, of each module and of each batch. A run takes one of each that it belongs to."""

from __future__ import annotations

from dataclasses import replace

from runyard_actors.run import BatchId, BatchSpec
from runyard_actors.scheduling.decision import QueuedRun
from runyard_actors.scheduling.line import Batch, Kind
from runyard_actors.scheduling.semaphore import Semaphore


class Limits:
    """The semaphores, kept while they have a limit or a run that has not ended."""

    def __init__(self, max_concurrent_runs: int) -> None:
        self.total: Semaphore[Kind] = Semaphore(max_concurrent_runs)
        self.modules: dict[str, Semaphore[Kind]] = {}
        self.batches: dict[BatchId, Batch] = {}

    def join(self, run: QueuedRun) -> None:
        """Count a run that has not ended."""
        self.total.members += 1
        self.modules.setdefault(run.module_id, Semaphore()).members += 1
        if run.batch_id is not None:
            batch = self.batches.get(run.batch_id) or self.put_batch(BatchSpec(batch_id=run.batch_id))
            batch.semaphore.members += 1

    def leave(self, run: QueuedRun) -> None:
        """A run ended; forget what only it kept."""
        self.total.members -= 1
        module = self.modules[run.module_id]
        module.members -= 1
        if not module.members and module.limit is None:
            del self.modules[run.module_id]
        if run.batch_id is not None:
            batch = self.batches[run.batch_id]
            batch.semaphore.members -= 1
            if not batch.semaphore.members and not batch.spec.is_open:
                del self.batches[run.batch_id]

    def take(self, run: QueuedRun) -> None:
        """Give a run its slots."""
        self._count(run, +1)

    def give(self, run: QueuedRun) -> None:
        """Take a run's slots back."""
        self._count(run, -1)

    def batch_of(self, run: QueuedRun) -> Batch | None:
        """Return the run's batch, None for a single run."""
        return None if run.batch_id is None else self.batches[run.batch_id]

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

    def _count(self, run: QueuedRun, step: int) -> None:
        self.total.taken += step
        self.modules[run.module_id].taken += step
        if run.batch_id is not None:
            self.batches[run.batch_id].semaphore.taken += step
