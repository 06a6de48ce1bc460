"""The connection that writes, with the interface of SQLite's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from runyard_actors.store.postgres.claim import let_go
from runyard_actors.store.postgres.fault import fault
from runyard_actors.store.postgres.session import Raw
from runyard_actors.store.postgres.statement import Statement, by_name, by_sqlite_text

log = logging.getLogger("runyard.store")


@dataclass(slots=True)
class Numbers:
    """The last numbers of runs and events in the transaction, and whether they are other than the kept ones."""

    run: int = 0
    event: int = 0
    is_changed: bool = False


class WritingConnection:
    """One transaction at a time, begun by `BEGIN IMMEDIATE` and a look at the epoch, whose row it locks.

    `renew` returns another connection in place of one that broke while nothing was open on it; `settle` finds out
    whether a transaction whose COMMIT got no answer was committed, and returns a connection to go on with, or raises
    what the transaction's callers are to see.
    """

    row_factory: Any = None

    def __init__(self, raw: Raw, renew: Callable[[], Raw], settle: Callable[[str], Raw]) -> None:
        self.raw = raw
        self.transaction = ""
        self.numbers = Numbers()
        self._renew = renew
        self._settle = settle
        self._saved = (0, 0)
        self._release = ""

    @property
    def in_transaction(self) -> bool:
        """Whether there is a transaction that can go on."""
        return bool(self.raw.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS)

    def cursor(self) -> WritingCursor:
        """Return a new cursor."""
        return WritingCursor(self)

    def execute(self, text: str, values: Any = ()) -> WritingCursor:
        """Execute a statement; return a cursor that holds what it found."""
        return self.cursor().execute(text, values)

    def close(self) -> None:
        """Release it; what is not committed is undone."""
        let_go(self.raw)

    def control(self, text: str) -> None:
        """Begin, commit, save or go back."""
        if text == "BEGIN IMMEDIATE":
            self._begin()
        elif text == "COMMIT":
            self._commit()
        elif text.startswith("SAVEPOINT"):
            self._saved = (self.numbers.run, self.numbers.event)
            self.raw.execute(f"{self._release}{text}")
            self._release = ""
        elif text.startswith("RELEASE"):
            # It goes with the next one, which saves a wait; COMMIT does without it.
            self._release = f"{text};"
        else:
            self.raw.execute(text)
            self.numbers.run, self.numbers.event = self._saved

    def _begin(self) -> None:
        self._release = ""
        try:
            self.raw.execute("BEGIN")
        except psycopg.OperationalError:
            if not self.raw.broken:
                raise
            # Idle connections break when the server restarts. Nothing is lost with one.
            self.raw = self._renew()
            self.raw.execute("BEGIN")

    def _commit(self) -> None:
        if self.numbers.is_changed:
            keep = by_name()["keep_numbers"].text
            self.raw.execute(keep, {"run": self.numbers.run, "event": self.numbers.event})
        try:
            self.raw.execute("COMMIT")
        except psycopg.OperationalError as error:
            if not self.raw.broken:
                raise
            log.warning("a commit got no answer; looking whether it was done: %s", error)
            self.raw.close()
            self.raw = self._settle(self.transaction)


class WritingCursor:
    """Executes statements of the store and holds what the last one found."""

    def __init__(self, connection: WritingConnection) -> None:
        self.connection = connection
        self.lastrowid: int | None = None
        self._cursor: psycopg.Cursor[Any] | None = None
        self._answer: tuple[Any, ...] | None = None

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""
        return -1 if self._cursor is None else self._cursor.rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())

    def execute(self, text: str, values: Any = ()) -> WritingCursor:
        """Execute a statement of the store, or one that begins or ends a transaction or a part of it."""
        statement = by_sqlite_text().get(text)
        self._answer = None
        try:
            if statement is None:
                self.connection.control(text)
                self._cursor = None
            elif special := _SPECIAL.get(statement.name):
                special(self, statement, values)
            else:
                self.send(statement.text, statement.bound(values))
        except psycopg.Error as error:
            raise fault(error) from error
        return self

    def executemany(self, text: str, rows: Iterable[Sequence[Any]]) -> WritingCursor:
        """Execute a statement once for each, with few answers of the server to wait for."""
        statement, rows = by_sqlite_text()[text], list(rows)
        try:
            self._open().executemany(statement.text, rows)
        except psycopg.DataError as error:
            if not _is_nul(error):
                raise fault(error) from error
            self._open().executemany(statement.text, [_without_nul(row) for row in rows])
        except psycopg.Error as error:
            raise fault(error) from error
        if statement.name == "insert_run" and rows:
            self.connection.numbers.run = rows[-1][0]
            self.connection.numbers.is_changed = True
        return self

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        if self._answer is not None:
            answer, self._answer = self._answer, None
            return answer
        return None if self._cursor is None else self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        return [] if self._cursor is None else self._cursor.fetchall()

    def send(self, text: str, values: Any) -> None:
        """Have PostgreSQL execute it."""
        try:
            self._open().execute(text, values)
        except psycopg.DataError as error:
            # PostgreSQL has no text with NUL; psycopg sees that before the server does.
            if not _is_nul(error):
                raise
            self._open().execute(text, _without_nul(values))

    def answer(self, *values: Any) -> None:
        """Answer the statement without PostgreSQL."""
        self._answer = values

    def take_numbers(self, statement: Statement, values: Any) -> None:
        """Look at the epoch, lock its row, and learn what the next numbers are."""
        self.send(statement.text, values)
        epoch, transaction, run, event = self._open().fetchone() or (None, "", 0, 0)
        self.connection.transaction = transaction
        self.connection.numbers = Numbers(run, event)
        self.answer(epoch)

    def insert_event(self, statement: Statement, values: Sequence[Any]) -> None:
        """Give the event its number."""
        numbers = self.connection.numbers
        self.send(statement.text, (numbers.event + 1, *values))
        numbers.event += 1
        numbers.is_changed = True
        self.lastrowid = numbers.event

    def insert_submit_events(self, statement: Statement, values: dict[str, Any]) -> None:
        """Give each of the events its number."""
        numbers = self.connection.numbers
        self.send(statement.text, {**values, "after": numbers.event})
        numbers.event += self.rowcount
        numbers.is_changed = True

    def _open(self) -> psycopg.Cursor[Any]:
        if self._cursor is None:
            self._cursor = self.connection.raw.cursor()
        return self._cursor


_SPECIAL: dict[str, Callable[[WritingCursor, Statement, Any], None]] = {
    "epoch": WritingCursor.take_numbers,
    "last_run": lambda cursor, *_: cursor.answer(cursor.connection.numbers.run),
    "last_event": lambda cursor, *_: cursor.answer(cursor.connection.numbers.event),
    "insert_event": WritingCursor.insert_event,
    "insert_submit_events": WritingCursor.insert_submit_events,
}


def _is_nul(error: psycopg.DataError) -> bool:
    return error.sqlstate is None and "NUL" in str(error)


def _without_nul(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _clean(value) for key, value in values.items()}
    return tuple(_clean(value) for value in values)


def _clean(value: Any) -> Any:
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
