"""Rows as SQLite's are: by place and by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, ClassVar

from psycopg import Cursor


class Row(tuple[Any, ...]):
    """The values of one row in order."""

    __slots__ = ()

    _places: ClassVar[dict[str, int]] = {}

    def __getitem__(self, key: Any) -> Any:
        """Return a value by place, or by column."""
        return tuple.__getitem__(self, self._places[key] if isinstance(key, str) else key)

    def keys(self) -> list[str]:
        """Return the columns in order."""
        return list(self._places)


def rows(cursor: Cursor[Any]) -> Callable[[Sequence[Any]], Row]:
    """Make rows of what a cursor found; psycopg asks once for each statement."""
    return _kind(tuple(column.name for column in cursor.description or ()))


@lru_cache(maxsize=256)
def _kind(columns: tuple[str, ...]) -> type[Row]:
    # The first of two columns of one name counts, as with SQLite.
    places = {name: place for place, name in reversed(list(enumerate(columns)))}
    return type(
        "Row", (Row,), {"__slots__": (), "_places": dict(sorted(places.items(), key=lambda item: item[1]))}
    )
