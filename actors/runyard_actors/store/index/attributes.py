"""What never changes of a run, as sets of places: its module, its batch, its labels. Read on demand, then kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from runyard_actors.store.database import Connection
from runyard_actors.store.index.bits import Bits
from runyard_actors.store.queries import sql

#: Sets kept, those asked for last: one takes up to 260 kB a million runs.
KEPT = 64

#: Sets of at least so many runs are read before anybody asks.
HEAVY = 10_000
HEAVIEST = 32


@dataclass(slots=True)
class _Kept:
    bits: Bits
    last: int


class Attributes:
    """Sets of runs by what they are. Runs that were forgotten may still be in them."""

    def __init__(self, base: int) -> None:
        """Places are the runs' seqs less `base`."""
        self._base = base
        self._kept: OrderedDict[tuple[str, ...], _Kept] = OrderedDict()

    def of(self, connection: Connection, last: int, name: str, *values: str) -> int:
        """Return the runs up to the seq `last` that have it; `name` says which statement reads them."""
        key = (name, *values)
        kept = self._kept.setdefault(key, _Kept(Bits(), self._base - 1))
        self._kept.move_to_end(key)
        if kept.last < last:
            rows = connection.execute(sql(name), self._values(values, kept.last))
            kept.bits.update(row[0] for row in rows)
            kept.last = last
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return kept.bits.whole

    def has(self, name: str, *values: str) -> bool:
        """Return whether this set is at hand."""
        return (name, *values) in self._kept

    def _values(self, values: tuple[str, ...], after: int) -> Mapping[str, object]:
        first, second = (*values, None, None)[:2]
        return {"first": first, "second": second, "after": after, "base": self._base}


def heavy_ones(connection: Connection) -> list[tuple[str, ...]]:
    """Return the names and values of the greatest sets, which take long to read."""
    rows = connection.execute(sql("heavy_attributes"), {"heavy": HEAVY, "limit": HEAVIEST})
    return [tuple(value for value in row if value is not None) for row in rows]
