"""Batches of which more is known than what their runs say: open ones, and those that runs come after as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from runyard_actors.run import BatchId, BatchSpec, RunId, RunSpec
from runyard_cluster.errors import ConflictError

if TYPE_CHECKING:
    from runyard_actors.manager.yard import Yard


class Batches:
    """`awaited` are those that have not ended and that runs come after; of most yards there are none.

    `closing` are on their way to be closed and take no more runs, while those that were accepted are being queued.
    """

    def __init__(self) -> None:
        self.awaited: set[BatchId] = set()
        self.closing: set[BatchId] = set()
        self._next_index: dict[BatchId, int] = {}

    def on_open(self, batch_id: BatchId, next_index: int) -> None:
        """Learn of an open batch, and which index the next run that is added to it has."""
        self._next_index[batch_id] = next_index

    def on_closed(self, batch_id: BatchId) -> None:
        """Forget a batch that takes no more runs."""
        self.closing.discard(batch_id)
        self._next_index.pop(batch_id, None)

    def placed(self, batch: BatchSpec, runs: Sequence[RunSpec]) -> tuple[RunSpec, ...]:
        """Return runs that are added to an open batch with their indexes. Raises ConflictError when it takes none."""
        first = self._next_index.get(batch.batch_id)
        if first is None or batch.batch_id in self.closing:
            raise ConflictError(
                f"batch {batch.batch_id} is closed: only a batch that was submitted as open takes more runs, until "
                "it is closed or cancelled"
            )
        self._next_index[batch.batch_id] = first + len(runs)
        return tuple(replace(run, batch_index=index) for index, run in enumerate(runs, start=first))


async def known_batches(yard: Yard, ids: Iterable[RunId]) -> set[RunId]:
    """Return which of these ids are batches, and have the core know how each stands."""
    known: set[RunId] = set()
    for each in ids:
        batch_id = BatchId(each)
        end = await asyncio.to_thread(yard.reader.batch_end, batch_id)
        if end is None:
            continue
        known.add(each)
        if end.is_ended:
            yard.core.on_batch_ended(batch_id, succeeded=end.has_succeeded)
            continue
        yard.batches.awaited.add(batch_id)
        yard.core.on_batch_awaited(batch_id)
        # It may have ended since it was read, when nobody knew yet that somebody waits for it.
        await look_at(yard, batch_id)
    return known


async def look_at(yard: Yard, batch_id: BatchId) -> None:
    """Let go on what comes after a batch, if that has ended."""
    end = await asyncio.to_thread(yard.reader.batch_end, batch_id)
    if batch_id in yard.batches.awaited and (end is None or end.is_ended):
        yard.batches.awaited.discard(batch_id)
        yard.core.on_batch_ended(batch_id, succeeded=end is not None and end.has_succeeded)
        yard.pump()


def look_at_awaited(yard: Yard, batch_id: BatchId | None = None) -> None:
    """Look at a batch of which a run ended, durably, or at all; only at those that somebody waits for."""
    wanted = yard.batches.awaited if batch_id is None else yard.batches.awaited & {batch_id}
    for each in wanted:
        yard.spawn(look_at(yard, each), f"look whether batch {each} has ended")
