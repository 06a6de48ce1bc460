"""One end of a transfer: a database that nobody else uses meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

#: What each kind keeps in `meta` for itself.
OWN_KEYS = ("version", "last_run", "last_event")

#: The tables whose rows are numbered, and the column with the number.
NUMBERED = {"runs": "seq", "events": "seq", "batches": "seq", "module_names": "id"}

#: Rows that are handed on together.
PART = 5_000


class End(Protocol):
    """Reads, and where it is the target writes in one transaction. Its calls raise RunyardError alone."""

    def tables(self) -> list[str]:
        """Return the tables of the store but `meta`, in an order of their own."""
        ...

    def columns(self, table: str) -> list[str]:
        """Return a table's columns in the order of their names."""
        ...

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        ...

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Sequence[Any]]:
        """Yield all rows of a table."""
        ...

    def put(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Write rows into an empty table."""
        ...

    def numbers(self) -> dict[str, int]:
        """Return the last number that was given out in each of the numbered tables."""
        ...

    def meta(self) -> dict[str, int]:
        """Return what `meta` holds of the store itself."""
        ...

    def finish(self, numbers: Mapping[str, int], meta: Mapping[str, int]) -> None:
        """Set these too, and make all of it the database, durably."""
        ...

    def close(self) -> None:
        """Let go; what was not finished was never there."""
        ...
