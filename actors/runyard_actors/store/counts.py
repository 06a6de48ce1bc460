"""Counts of runs by status, batch, module and block of the submit order, changed by differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from runyard_actors.store.database import Cursor
from runyard_actors.store.queries import sql

#: Runs of one block: 1024 seqs.
BLOCK_BITS = 10

#: Stands in a count for any batch or any module.
ANY = ""

#: (batch_id, module_id, block, status)
CountKey = tuple[str, str, int, str]


class CountChanges:
    """The differences that one call makes."""

    def __init__(self) -> None:
        self._differences: Counter[CountKey] = Counter()

    def add(self, *, seq: int, batch_id: str | None, module_id: str, status: str, by: int = 1) -> None:
        """Note that `by` more runs have that status."""
        block, differences = seq >> BLOCK_BITS, self._differences
        differences[ANY, ANY, block, status] += by
        differences[ANY, module_id, block, status] += by
        if batch_id is not None:
            differences[batch_id, ANY, block, status] += by
            differences[batch_id, module_id, block, status] += by

    def take(self, other: CountChanges) -> None:
        """Add another call's differences to these."""
        self._differences.update(other._differences)

    def write(self, cursor: Cursor) -> None:
        """Put the differences into the table; a count that became zero leaves it."""
        changed = _nonzero(self._differences)
        cursor.executemany(sql("add_count"), [(*key, by) for key, by in changed.items()])
        cursor.executemany(sql("drop_empty_count"), [key for key, by in changed.items() if by < 0])


def _nonzero(differences: Mapping[CountKey, int]) -> dict[CountKey, int]:
    return {key: by for key, by in differences.items() if by}
