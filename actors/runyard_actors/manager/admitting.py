"""Submissions on their way in: checked, but not on disk yet or not known to the scheduling core."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from runyard_actors.manager.messages import Submission
from runyard_actors.run import BatchId, RunId, RunSpec


@dataclass(eq=False, slots=True)
class OnItsWay:
    """One submission; who tells the core of it sets `is_counted`."""

    ids: frozenset[str]
    runs: tuple[RunSpec, ...]
    #: The core counts them already, though they are not on disk yet.
    is_counted: bool = False
    is_in: asyncio.Event = field(default_factory=asyncio.Event)


class Admitting:
    """Knows whom the store and the core do not both know yet."""

    def __init__(self) -> None:
        self._on_their_way: set[OnItsWay] = set()

    @property
    def runs(self) -> int:
        """How many runs the core is still to be told of."""
        return sum(len(one.runs) for one in self._on_their_way if not one.is_counted)

    @contextmanager
    def on_its_way(self, submission: Submission) -> Iterator[OnItsWay]:
        """Count the submission as on its way for the length of the block."""
        batch = [submission.batch.batch_id] if submission.batch else []
        one = OnItsWay(frozenset([*(run.run_id for run in submission.runs), *batch]), submission.runs)
        self._on_their_way.add(one)
        try:
            yield one
        finally:
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
