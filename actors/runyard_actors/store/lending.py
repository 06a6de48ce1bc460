"""Lending connections that read: a few are kept for the next call, and who reads too long is cut off in the end."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

from runyard_actors.store.database import Connection, Database
from runyard_actors.store.errors import gone
from runyard_cluster.database_url import Where

log = logging.getLogger("runyard.store")

#: Connections kept for the next call; opening one costs as much as a small query.
_KEPT = 4
#: A snapshot that is read for longer than this, in seconds, is given up where it makes the database grow.
READ_SECONDS = 30.0

#: What tells one database from another in its place.
Identity: TypeAlias = object


class Lending:
    """Lends each caller a connection of its own, in any thread."""

    def __init__(self, database: Database, where: Where) -> None:
        self._where = where
        self._database = database
        self._was_there = False
        self._idle: list[tuple[Connection, Identity]] = []
        #: What is lent, and since when, by a monotonic clock.
        self._lent: dict[int, tuple[Connection, float]] = {}
        self._gate = threading.Lock()

    def close(self) -> None:
        """Release what is kept; more may be lent afterwards."""
        with self._gate:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    @contextmanager
    def lent(self) -> Iterator[tuple[Connection, Identity] | None]:
        """Lend a connection inside a read transaction, and tell which database it is of; None while there is none."""
        self.cut_off()
        try:
            kept = self._borrow()
        except (sqlite3.Error, OSError) as error:
            raise self._database.unavailable(error) from error
        if kept is None:
            yield None
            return
        connection = kept[0]
        with self._gate:
            self._lent[id(connection)] = (connection, time.monotonic())
        try:
            yield kept
            # From here on nobody cuts it off: the transaction that ends is its own.
            self._take_back(connection)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._take_back(connection)
            connection.close()
            raise self._database.unavailable(error) from error
        except BaseException:
            self._take_back(connection)
            connection.close()
            raise
        self._keep(*kept)

    def cut_off(self) -> None:
        """End the transactions of who has read for too long, if that makes the database grow."""
        since = time.monotonic() - READ_SECONDS
        with self._gate:
            overdue = [each for each, at in self._lent.values() if at < since]
            cut = self._database.cut_off(overdue) if overdue else 0
        if cut:
            log.warning(
                "%d reads were given up after %g s: they kept the store from giving room back",
                cut,
                READ_SECONDS,
            )

    def _borrow(self) -> tuple[Connection, Identity] | None:
        """Return a connection inside a transaction that has read nothing yet."""
        identity = self._database.identity()
        if identity is None:
            if self._was_there:
                raise gone(self._where)
            return None
        self._was_there = True
        while True:
            with self._gate:
                kept = self._idle.pop() if self._idle else None
            if kept is None:
                connection = self._database.open_reader()
                if connection is None:
                    return None
                connection.execute("BEGIN")
                return connection, identity
            # The database was replaced by another, as when a backup was put back, or has restarted since.
            if kept[1] == identity and _has_begun(kept[0]):
                return kept
            kept[0].close()

    def _take_back(self, connection: Connection) -> None:
        with self._gate:
            self._lent.pop(id(connection), None)

    def _keep(self, connection: Connection, identity: Identity) -> None:
        with self._gate:
            if len(self._idle) < _KEPT:
                self._idle.append((connection, identity))
                return
        connection.close()


def _has_begun(connection: Connection) -> bool:
    try:
        connection.execute("BEGIN")
    except sqlite3.Error:
        return False
    return True
