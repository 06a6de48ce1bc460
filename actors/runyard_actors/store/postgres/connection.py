"""A connection that reads, with the interface of SQLite's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from runyard_actors.store.postgres.fault import fault
from runyard_actors.store.postgres.row import rows
from runyard_actors.store.postgres.session import Raw
from runyard_actors.store.postgres.statement import Statement, by_sqlite_text

#: A reader sees one moment from its first statement on.
BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

#: Rows fetched at first of what may be millions, then each time four times as many up to the second number.
FIRST_ROWS = 200
MOST_ROWS = 20_000


class ReadingConnection:
    """Lends SQLite's interface to one connection of psycopg."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._raw.row_factory = rows
        self._numbers = count(1)

    @property
    def row_factory(self) -> Any:
        """What makes rows; None: plain tuples."""
        return self._raw.row_factory

    @row_factory.setter
    def row_factory(self, factory: Any) -> None:
        self._raw.row_factory = factory or tuple_row

    @property
    def in_transaction(self) -> bool:
        """Whether there is a transaction that can go on."""
        return bool(self._raw.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS)

    def cursor(self) -> ReadingCursor:
        """Return a new cursor."""
        return ReadingCursor(self)

    def execute(self, text: str, values: Any = ()) -> ReadingCursor:
        """Execute a statement; return a cursor that holds what it found."""
        return self.cursor().execute(text, values)

    def close(self) -> None:
        """Release it."""
        self._raw.close()

    def run(self, text: str, values: Any = None) -> psycopg.Cursor[Any]:
        """Execute words of PostgreSQL. Raises sqlite3.Error."""
        try:
            return self._raw.execute(text, values)
        except psycopg.Error as error:
            raise fault(error) from error

    def stream(self, statement: Statement, values: Any) -> Iterator[Any]:
        """Yield what a statement finds, a part at a time."""
        name = f"s{next(self._numbers)}"
        self.run(f"DECLARE {name} NO SCROLL CURSOR FOR {statement.text}", values)
        size = FIRST_ROWS
        while True:
            part = self.run(f"FETCH FORWARD {size} FROM {name}").fetchall()
            yield from part
            if len(part) < size:
                self.run(f"CLOSE {name}")
                return
            size = min(4 * size, MOST_ROWS)


class ReadingCursor:
    """What one statement found."""

    rowcount = -1
    lastrowid = None

    def __init__(self, connection: ReadingConnection) -> None:
        self.connection = connection
        self._found: Iterator[Any] = iter(())

    def __iter__(self) -> Iterator[Any]:
        return self._found

    def execute(self, text: str, values: Any = ()) -> ReadingCursor:
        """Execute a statement of the store, or BEGIN and COMMIT."""
        statement = by_sqlite_text().get(text)
        if statement is None:
            found = self.connection.run(BEGIN_READING if text == "BEGIN" else text)
            self._found = iter(found.fetchall() if found.description else ())
        elif statement.is_streamed:
            self._found = self.connection.stream(statement, statement.bound(values))
        else:
            self._found = iter(self.connection.run(statement.text, statement.bound(values)).fetchall())
        return self

    def executemany(self, text: str, many: Iterable[Any]) -> ReadingCursor:
        """Execute a statement once for each."""
        for values in many:
            self.execute(text, values)
        return self

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        return next(self._found, None)

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        return list(self._found)
