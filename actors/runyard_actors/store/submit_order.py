"""Pages in submit order: the counts by block say where a page begins, so one deep down costs what the first does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from heapq import merge
from itertools import chain, islice
from typing import Any

from runyard_actors.run import Status
from runyard_actors.store.counts import ANY, BLOCK_BITS
from runyard_actors.store.database import Connection
from runyard_actors.store.queries import sql
from runyard_actors.store.records import RunFilter

_BLOCK = 1 << BLOCK_BITS


class SubmitOrder:
    """Runs by status, module, batch and time of submission, asked in one snapshot of the database."""

    def __init__(
        self,
        connection: Connection,
        wanted: RunFilter,
        bounds: tuple[int, int],
        *,
        is_descending: bool,
    ) -> None:
        """Count what `wanted` finds with seqs within `bounds`; its label and text are not looked at."""
        self._connection = connection
        self._is_descending = is_descending
        self._statuses = list(dict.fromkeys(Status(s).value for s in wanted.statuses or Status))
        first, last = bounds
        self._values: dict[str, Any] = {
            "statuses": json.dumps(self._statuses),
            "module_id": wanted.module_id,
            "batch_id": wanted.batch_id,
            "first": first,
            "last": last,
        }
        self._blocks = self._count_blocks()
        self._total = sum(self._blocks.values())

    def page(self, limit: int, offset: int) -> tuple[list[int], int]:
        """Return the seqs of one page in order, and how many runs there are in all."""
        if offset >= self._total:
            return [], self._total
        first, last = self._values["first"], self._values["last"]
        for block in sorted(self._blocks, reverse=self._is_descending):
            if offset < self._blocks[block]:
                break
            offset -= self._blocks[block]
        if self._is_descending:
            last = min(last, (block << BLOCK_BITS) + _BLOCK - 1)
        else:
            first = max(first, block << BLOCK_BITS)
        return list(islice(self._seqs(first, last), offset, offset + limit)), self._total

    def _seqs(self, first: int, last: int) -> Iterator[int]:
        """Yield the seqs between two in the order asked for."""
        if not (self._values["batch_id"] and self._values["module_id"]):
            return self._seqs_of_index(first, last)
        # No index leads to the runs of a module in a batch, but the counts tell the blocks they lie in.
        blocks = sorted(self._blocks, reverse=self._is_descending)
        return chain.from_iterable(
            self._seqs_of_index(max(first, b << BLOCK_BITS), min(last, (b << BLOCK_BITS) + _BLOCK - 1))
            for b in blocks
            if first >> BLOCK_BITS <= b <= last >> BLOCK_BITS
        )

    def _seqs_of_index(self, first: int, last: int) -> Iterator[int]:
        """Each status has its own part of an index."""
        kind = "batch" if self._values["batch_id"] else "module" if self._values["module_id"] else "status"
        name = f"seqs_of_{kind}_desc" if self._is_descending else f"seqs_of_{kind}"
        parts = [
            self._connection.execute(
                sql(name), self._values | {"status": status, "first": first, "last": last}
            )
            for status in self._statuses
        ]
        sequences = [(row[0] for row in part) for part in parts]
        return iter(merge(*sequences, reverse=self._is_descending))

    def _count_blocks(self) -> dict[int, int]:
        first, last = self._values["first"], self._values["last"]
        if first > last:
            return {}
        values = self._values | {
            "batch_id": self._values["batch_id"] or ANY,
            "module_id": self._values["module_id"] or ANY,
            "first": first >> BLOCK_BITS,
            "last": last >> BLOCK_BITS,
        }
        blocks = dict[int, int](tuple(r) for r in self._connection.execute(sql("block_counts"), values))
        # Of the blocks at both ends only a part may lie within the bounds.
        for block in {first >> BLOCK_BITS, last >> BLOCK_BITS} & blocks.keys():
            start = max(first, block << BLOCK_BITS)
            end = min(last, (block << BLOCK_BITS) + _BLOCK - 1)
            blocks[block] = sum(1 for _ in self._seqs_of_index(start, end))
        return blocks
