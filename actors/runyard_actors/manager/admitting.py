"""Submissions on their way in: checked and perhaps on disk already, but not yet known to the scheduling core."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from runyard_actors.manager.messages import Submission
from runyard_actors.run import BatchId, RunId, RunSpec


@dataclass(eq=False, slots=True)
class _OnItsWay:
    ids: frozenset[str]
    runs: tuple[RunSpec, ...]
    is_in: asyncio.Event = field(default_factory=asyncio.Event)


class Admitting:
    """Knows who is between the commit and the queue, where readers see them and the core does not."""

    def __init__(self) -> None:
        self.runs = 0
        self._on_their_way: set[_OnItsWay] = set()

    @contextmanager
    def on_its_way(self, submission: Submission) -> Iterator[None]:
        """Count the submission as on its way for the length of the block."""
        batch = [submission.batch.batch_id] if submission.batch else []
        one = _OnItsWay(frozenset([*(run.run_id for run in submission.runs), *batch]), submission.runs)
        self._on_their_way.add(one)
        self.runs += len(submission.runs)
        try:
            yield
        finally:
            self.runs -= len(submission.runs)
            self._on_their_way.discard(one)
            one.is_in.set()

    def waiting(self) -> dict[RunId, list[tuple[RunId, BatchId | None]]]:
        """Return for each run, or batch, who will wait for it, each with the batch that it belongs to."""
        found: dict[RunId, list[tuple[RunId, BatchId | None]]] = {}
        for run in (run for one in self._on_their_way for run in one.runs):
            for earlier in run.comes_after:
                found.setdefault(earlier, []).append((run.run_id, run.batch_id))
        return found

    async def wait_for(self, ids: Iterable[str]) -> None:
        """Wait until none of these runs and batches is on its way any more: it is queued, or it was refused."""
        wanted = list(ids)
        while concerned := [one for one in self._on_their_way if not one.ids.isdisjoint(wanted)]:
            for one in concerned:
                await one.is_in.wait()
