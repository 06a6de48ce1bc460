"""Slots: the semaphore of the whole yard, and those of modules and batches inside it."""

from __future__ import annotations

from collections import Counter
from typing import TypeVar

from runyard_actors.run import BatchId
from runyard_actors.scheduling.decision import QueuedRun

Key = TypeVar("Key")


class Slots:
    """Counts active runs against limits; a limit that is lowered below what is active just lets nothing more in."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.active = 0
        self.module_limits: dict[str, int] = {}
        self.batch_limits: dict[BatchId, int] = {}
        self._by_module: Counter[str] = Counter()
        self._by_batch: Counter[BatchId] = Counter()

    @property
    def is_full(self) -> bool:
        """Whether no run at all may start."""
        return self.active >= self.limit

    def is_module_full(self, module_id: str) -> bool:
        """Whether no further run of the module may start."""
        limit = self.module_limits.get(module_id)
        return limit is not None and self._by_module[module_id] >= limit

    def is_batch_full(self, batch_id: BatchId | None) -> bool:
        """Whether no further run of the batch may start."""
        limit = self.batch_limits.get(batch_id) if batch_id else None
        return limit is not None and batch_id is not None and self._by_batch[batch_id] >= limit

    def take(self, run: QueuedRun) -> None:
        """Give the run its slots."""
        self.active += 1
        self._by_module[run.module_id] += 1
        if run.batch_id:
            self._by_batch[run.batch_id] += 1

    def give(self, run: QueuedRun) -> None:
        """Take the run's slots back."""
        self.active -= 1
        _count_down(self._by_module, run.module_id)
        if run.batch_id:
            _count_down(self._by_batch, run.batch_id)

    def words(self, run: QueuedRun) -> str | None:
        """Say which slots a run waits for, if it does."""
        if self.is_full:
            return f"all {self.limit} slots are taken"
        module, batch = run.module_id, run.batch_id
        if self.is_module_full(module):
            limit = self.module_limits[module]
            return f"{self._by_module[module]} of {limit} slots of module {module} are taken"
        if batch is not None and self.is_batch_full(batch):
            limit = self.batch_limits[batch]
            return f"{self._by_batch[batch]} of {limit} slots of its batch are taken"
        return None


def _count_down(counter: Counter[Key], key: Key) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
