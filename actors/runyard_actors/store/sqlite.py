"""SQLite behind the seam: a file on this machine."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runyard_actors.store import connection
from runyard_actors.store.database import Connection
from runyard_actors.store.errors import StoreUnavailable


@dataclass(frozen=True, slots=True)
class SqliteDatabase:
    """The database in a file. Who opens it for writing last is its writer: the epoch in it keeps out the others."""

    path: Path

    def open_writer(self) -> sqlite3.Connection:
        """Open the file for writing; create, check and migrate it as needed."""
        return connection.open_writer(self.path)

    def reopen_writer(self, busy_seconds: float) -> sqlite3.Connection:
        """Open again what this process had open."""
        return connection.reopen_writer(self.path, busy_seconds)

    def open_reader(self) -> sqlite3.Connection | None:
        """Open the file for reading; None while there is nothing in it."""
        return connection.open_reader(self.path)

    def identity(self) -> tuple[int, int] | None:
        """Return device and inode: the file may be replaced, as when a backup is put back."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def size_bytes(self, reading: Connection) -> int:
        """Return the bytes of the file and of its write-ahead log."""
        log = Path(f"{self.path}-wal")
        return self.path.stat().st_size + (log.stat().st_size if log.exists() else 0)

    def cut_off(self, reading: Sequence[Connection]) -> int:
        """Interrupt and roll back, while the write-ahead log, which a reader keeps from being reused, is too large.

        A connection may be used by several threads, one after the other; closing it while another one uses it may not.
        """
        log = Path(f"{self.path}-wal")
        if not log.exists() or log.stat().st_size < connection.SWOLLEN_WAL_BYTES:
            return 0
        ended = 0
        for each in reading:
            assert isinstance(each, sqlite3.Connection)
            each.interrupt()
            with suppress(sqlite3.Error):  # Its own end may have come first.
                each.execute("ROLLBACK")
                ended += 1
        return ended

    def unavailable(self, error: sqlite3.Error | OSError) -> StoreUnavailable:
        """Return what callers see for a fault of SQLite or of the file system."""
        return connection.unavailable(error, self.path)
