"""PostgreSQL behind the seam: connections, and one writer at a time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

import psycopg

from runyard_actors.store.connection import BUSY_SECONDS
from runyard_actors.store.database import Connection
from runyard_actors.store.errors import StoreFull, StoreTakenOver, StoreUnavailable
from runyard_actors.store.postgres.claim import claim, name_of
from runyard_actors.store.postgres.connection import ReadingConnection
from runyard_actors.store.postgres.fault import fault
from runyard_actors.store.postgres.schema import check_server, is_ready, migrate
from runyard_actors.store.postgres.session import Raw, connect
from runyard_actors.store.postgres.writing import WritingConnection
from runyard_cluster.database_url import PostgresUrl

#: How long the callers of a commit that got no answer wait to hear whether it was done, in seconds.
SETTLE_SECONDS = 20.0


class PostgresDatabase:
    """One database, and in it the schema that comes first in the search path.

    Whoever writes holds a lock of the server's for as long as it is connected. Another writer of the same `owner`,
    such as a manager that hangs, loses it to the next one; one of another owner keeps it, and the next one is refused.
    Beside that the epoch in the database keeps out a writer that comes back late.
    """

    def __init__(self, where: PostgresUrl, owner: str) -> None:
        self._where = where
        self._name = name_of(owner)
        self._epoch: int | None = None
        self._unsettled: str | None = None

    def open_writer(self) -> Connection:
        """Connect for writing; create and migrate the tables as needed."""
        try:
            raw = connect(self._where, self._name, writes=True)
            try:
                check_server(raw, self._where)
                claim(raw, self._where, self._name)
                migrate(raw, self._where)
                self._epoch = 1 + _epoch(raw)
            except BaseException:
                raw.close()
                raise
        except psycopg.Error as error:
            raise self.unavailable(fault(error)) from error
        return WritingConnection(raw, self._renewed, self._settled)

    def reopen_writer(self, busy_seconds: float) -> Connection:
        """Connect again."""
        try:
            return WritingConnection(self._raw(busy_seconds), self._renewed, self._settled)
        except psycopg.Error as error:
            raise fault(error) from error

    def open_reader(self) -> Connection | None:
        """Connect for reading; None while there are no tables."""
        try:
            raw = connect(self._where, self._name, writes=False)
            try:
                if is_ready(raw, self._where):
                    return ReadingConnection(raw)
            except BaseException:
                raw.close()
                raise
            raw.close()
        except psycopg.Error as error:
            raise fault(error) from error
        return None

    def identity(self) -> object:
        """Return the place: what is restored into it is restored while nobody uses it."""
        return self._where

    def size_bytes(self, reading: Connection) -> int:
        """Return the bytes of the whole database on the server's disk, other schemas included."""
        (size,) = reading.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(size)

    def cut_off(self, reading: Sequence[Connection]) -> int:
        """Return 0: a reader there keeps nothing from being written, and the server has limits of its own for it."""
        return 0

    def unavailable(self, error: sqlite3.Error | OSError) -> StoreUnavailable:
        """Return what callers see for a fault of the server or of the way to it."""
        if "disk is full" in str(error):
            return StoreFull(
                f"the disk with the database {self._where} is full; free some space and try again"
            )
        return StoreUnavailable(f"the database {self._where} cannot be used right now: {error}")

    def _renewed(self) -> Raw:
        return self._raw(BUSY_SECONDS)

    def _raw(self, seconds: float) -> Raw:
        """Connect for writing, as what wrote before. Once another one wrote, the lock is not asked for."""
        raw = connect(self._where, self._name, writes=True, seconds=seconds)
        try:
            if _epoch(raw) == self._epoch:
                claim(raw, self._where, self._name)
                self._look_back(raw)
        except BaseException:
            raw.close()
            raise
        return raw

    def _look_back(self, raw: Raw) -> None:
        """Go on only once it is known that what callers were told was not recorded was not recorded."""
        if self._unsettled is not None and _was_committed(raw, self._unsettled):
            raise StoreTakenOver(
                f"a commit to {self._where} was done although its callers could not be told; start runyard again, so "
                "that it learns of what was recorded"
            )
        self._unsettled = None

    def _settled(self, transaction: str) -> Raw:
        """Find out whether a transaction was committed. Raises psycopg.Error for one that was not, or nobody knows."""
        raw = self._raw_at_last(transaction)
        if not _was_committed(raw, transaction):
            raw.close()
            raise psycopg.OperationalError("the connection broke in the middle of a commit, which was undone")
        return raw

    def _raw_at_last(self, transaction: str) -> Raw:
        end = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                return self._raw(BUSY_SECONDS)
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    self._unsettled = transaction
                    raise
                time.sleep(0.2)  # Nobody tells when a server is there again.


def _epoch(raw: Raw) -> int:
    row = raw.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
    return int(row[0]) if row else -1


def _was_committed(raw: Raw, transaction: str) -> bool:
    row = raw.execute("SELECT pg_xact_status(%s::xid8)", (transaction,)).fetchone()
    return row is not None and row[0] == "committed"


def server_version(where: PostgresUrl) -> str:
    """Return what the server says that it is. Raises StoreError and StoreUnavailable."""
    try:
        with connect(where, name_of("doctor"), writes=False) as raw:
            check_server(raw, where)
            row = raw.execute("SELECT current_setting('server_version')").fetchone()
            return f"PostgreSQL {row[0] if row else ''}"
    except psycopg.Error as error:
        raise PostgresDatabase(where, "").unavailable(fault(error)) from error
