"""The transfer: table by table, then read back and compared before the target is made the database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from runyard_actors.store.database import postgres_module
from runyard_actors.store.errors import StoreError
from runyard_actors.store.transfer.end import End
from runyard_actors.store.transfer.sqlite import SqliteEnd
from runyard_cluster.database_url import PostgresUrl, Where
from runyard_cluster.errors import InvalidRequestError

#: Told of a table, how many of its rows are done, and how many there are.
Progress = Callable[[str, int, int], None]

#: Rows between two words of progress.
STEP = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """What was brought over: rows by table, and a digest of all of them.

    `replaced` texts had a NUL, which PostgreSQL cannot hold: it became U+FFFD.
    """

    rows: dict[str, int]
    digest: str
    replaced: int


class _Sum:
    """A sum over rows in any order, equal for equal rows whatever the kind of database."""

    def __init__(self) -> None:
        self.rows = 0
        self.replaced = 0
        self._sum = 0

    def watch(self, rows: Iterable[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
        """Yield rows as PostgreSQL can hold them too, and add them up."""
        for row in rows:
            clean = tuple(self._clean(value) if isinstance(value, str) else value for value in row)
            digest = hashlib.blake2b(repr(clean).encode("utf-8", "backslashreplace"), digest_size=16).digest()
            self._sum += int.from_bytes(digest)
            self.rows += 1
            yield clean

    @property
    def digest(self) -> str:
        """The sum in short."""
        return f"{self._sum % 2**128:032x}"

    def _clean(self, text: str) -> str:
        if "\0" not in text:
            return text
        self.replaced += 1
        return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def transfer(source: Where, target: Where, progress: Progress = lambda *_: None) -> Transferred:
    """Bring everything of one database into another, which must be empty or not there yet.

    The source stays as it is. Nobody else may use either meanwhile. Whatever breaks it off leaves the target as it was.
    Raises InvalidRequestError for twice the same, StoreError and StoreUnavailable.
    """
    if source == target:
        raise InvalidRequestError(f"source and target are both {target}")
    with closing(_end(source, is_target=False)) as old, closing(_end(target, is_target=True)) as new:
        tables = old.tables()
        if sorted(tables) != sorted(new.tables()):
            raise StoreError(
                f"{source} has tables that this runyard does not know; its own version is needed"
            )
        sums = {table: _copy(old, new, table, progress) for table in tables}
        for table, expected in sums.items():
            _check(new, table, expected, progress)
        # One more than any that wrote the source: none of those may write here.
        meta = old.meta()
        new.finish(old.numbers(), meta | {"epoch": meta["epoch"] + 1})
    return Transferred(
        rows={table: found.rows for table, found in sums.items()},
        digest=hashlib.blake2b(
            "".join(sums[t].digest for t in sorted(sums)).encode(), digest_size=8
        ).hexdigest(),
        replaced=sum(found.replaced for found in sums.values()),
    )


def _end(where: Where, *, is_target: bool) -> End:
    if isinstance(where, PostgresUrl):
        found: End = postgres_module("transfer").PostgresEnd(where, is_target=is_target)
        return found
    return SqliteEnd(where, is_target=is_target)


def _copy(old: End, new: End, table: str, progress: Progress) -> _Sum:
    columns, found = old.columns(table), _Sum()
    if columns != new.columns(table):
        raise StoreError(f"the table {table} has other columns than this runyard knows")
    new.put(table, columns, _told(found.watch(old.rows(table, columns)), table, old.count(table), progress))
    return found


def _check(new: End, table: str, expected: _Sum, progress: Progress) -> None:
    found = _Sum()
    for _ in _told(
        found.watch(new.rows(table, new.columns(table))), f"{table}, read back", expected.rows, progress
    ):
        pass
    if (found.rows, found.digest) != (expected.rows, expected.digest):
        raise StoreError(
            f"the table {table} was not brought over as it is: {found.rows} rows with the sum {found.digest} "
            f"instead of {expected.rows} with {expected.digest}; nothing was changed"
        )


def _told(
    rows: Iterable[tuple[Any, ...]], what: str, total: int, progress: Progress
) -> Iterator[tuple[Any, ...]]:
    for number, row in enumerate(rows):
        if number % STEP == 0:
            progress(what, number, total)
        yield row
    progress(what, total, total)
