"""The seam between the store and the database it lies in: SQLite's own interface, which the other kind speaks too.

Statements are written once, in SQLite's words (`queries.sql`), and faults are `sqlite3.Error`, for every kind. What a
`database_url` names is opened by `database`; nothing else in this package asks which kind it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias

from runyard_actors.store.errors import StoreError, StoreUnavailable
from runyard_cluster.database_url import PostgresUrl, Where

#: The values of a statement: in order, or by name.
Values: TypeAlias = Any


class Row(Protocol):
    """One row: its values by place and by column."""

    def __getitem__(self, key: int | str, /) -> Any:
        """Return one value."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Yield the values in order."""
        ...

    def keys(self) -> Any:
        """Return the columns in order."""
        ...


class Cursor(Protocol):
    """Executes statements and holds what the last one found."""

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""
        ...

    @property
    def lastrowid(self) -> int | None:
        """The number that the last event got."""
        ...

    @property
    def connection(self) -> Any:
        """The connection that it is of."""
        ...

    def execute(self, statement: str, values: Values = ..., /) -> Self:
        """Execute a statement; return this cursor."""
        ...

    def executemany(self, statement: str, rows: Iterable[Values], /) -> Self:
        """Execute a statement once for each."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        ...


class Connection(Protocol):
    """A connection to the database, in no transaction unless BEGIN was executed."""

    row_factory: Any

    @property
    def in_transaction(self) -> bool:
        """Whether there is a transaction that can go on."""
        ...

    def cursor(self) -> Cursor:
        """Return a new cursor."""
        ...

    def execute(self, statement: str, values: Values = ..., /) -> Cursor:
        """Execute a statement; return a cursor that holds what it found."""
        ...

    def close(self) -> None:
        """Release it; what is not committed is undone."""
        ...


class Database(Protocol):
    """Opens connections to one database. Its calls raise sqlite3.Error and OSError where none else is named."""

    def open_writer(self) -> Connection:
        """Open it for writing; create, check and migrate it as needed. Raises StoreError or StoreUnavailable."""
        ...

    def reopen_writer(self, busy_seconds: float) -> Connection:
        """Open again what this process had open; create nothing, and wait for others no longer than that."""
        ...

    def open_reader(self) -> Connection | None:
        """Open it for reading; None while there is nothing in it. Raises StoreError or StoreUnavailable."""
        ...

    def identity(self) -> object | None:
        """Return what tells its content from that of another database in its place; None while there is none."""
        ...

    def size_bytes(self, reading: Connection) -> int:
        """Return how much room all of it takes where it lies; `reading` is one of its connections."""
        ...

    def cut_off(self, reading: Sequence[Connection]) -> int:
        """End the transactions of connections that read in other threads, if the database has grown much by them.

        Who reads there gets a sqlite3.Error. Returns how many were ended.
        """
        ...

    def unavailable(self, error: sqlite3.Error | OSError) -> StoreUnavailable:
        """Return what callers see for a fault of it."""
        ...


def database(where: Where, owner: str = "") -> Database:
    """Return the database at a place. `owner` tells one server from others that might use the same one."""
    if isinstance(where, PostgresUrl):
        found: Database = postgres_module("database").PostgresDatabase(where, owner)
        return found
    from runyard_actors.store.sqlite import SqliteDatabase

    return SqliteDatabase(Path(where))


def server_version(where: PostgresUrl) -> str:
    """Return what a server says that it is. Raises StoreError and StoreUnavailable."""
    version: str = postgres_module("database").server_version(where)
    return version


def postgres_module(name: str) -> Any:
    """Return a module of `postgres`, whose driver only those need who use it. Raises StoreError without that."""
    try:
        return import_module(f"runyard_actors.store.postgres.{name}")
    except ImportError as error:
        raise StoreError(
            "`database_url` names PostgreSQL, whose driver is not installed: pip install 'runyard[postgres]'"
        ) from error
