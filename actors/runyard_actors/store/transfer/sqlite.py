"""A file of SQLite as one end of a transfer; a target is made beside its place and put there once it is whole."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from runyard_actors.store import connection
from runyard_actors.store.errors import StoreError, StoreUnavailable
from runyard_actors.store.migrate import known_scripts, refuse_newer
from runyard_actors.store.transfer.end import NUMBERED, PART
from runyard_cluster.files import sync_folder

#: How long somebody who only looks something up is waited for, in seconds.
HELD_SECONDS = 1.0


class SqliteEnd:
    """Holds the file for itself alone: whoever has it open, were it only to read, is in the way."""

    def __init__(self, path: Path, *, is_target: bool) -> None:
        self._path = path
        self._made: Path | None = None
        self._held: sqlite3.Connection | None = None
        with self._faults():
            if path.exists():
                self._held = _held(path)
            elif not is_target:
                raise StoreError(f"there is no database {path}")
            try:
                self._connection = self._target() if is_target else self._source()
            except BaseException:
                self.close()
                raise

    def tables(self) -> list[str]:
        """Return the tables of the store but `meta`."""
        names = self._all(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1"
        )
        return [name for (name,) in names if name != "meta"]

    def columns(self, table: str) -> list[str]:
        """Return a table's columns in the order of their names."""
        return sorted(row[1] for row in self._all(f'PRAGMA table_info("{table}")'))

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self._all(f'SELECT count(*) FROM "{table}"')[0][0])  # noqa: S608 - a table's own name

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Sequence[Any]]:
        """Yield all rows of a table."""
        with self._faults():
            found = self._connection.execute(f'SELECT {_list(columns)} FROM "{table}"')  # noqa: S608 - names of ours
        while True:
            with self._faults():
                part = found.fetchmany(PART)
            if not part:
                return
            yield from part

    def put(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Write rows into an empty table."""
        places, rows = ", ".join("?" * len(columns)), iter(rows)
        statement = f'INSERT INTO "{table}" ({_list(columns)}) VALUES ({places})'  # noqa: S608 - names of ours
        with self._faults():
            self._connection.execute(f'DELETE FROM "{table}"')  # noqa: S608 - likewise
        while part := list(islice(rows, PART)):
            with self._faults():
                self._connection.executemany(statement, part)

    def numbers(self) -> dict[str, int]:
        """Return the last numbers given out."""
        given = dict(self._all("SELECT name, seq FROM sqlite_sequence"))
        return {table: max(int(given.get(table, 0)), self._largest(table)) for table in NUMBERED}

    def meta(self) -> dict[str, int]:
        """Return what `meta` holds."""
        return dict(self._all("SELECT key, value FROM meta"))

    def finish(self, numbers: Mapping[str, int], meta: Mapping[str, int]) -> None:
        """Make the new file the database, in the place of an empty one."""
        assert self._made is not None
        with self._faults():
            run = self._connection.execute
            run("DELETE FROM sqlite_sequence")
            given = [(name, number) for name, number in numbers.items() if name != "module_names"]
            self._connection.executemany("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", given)
            run("DELETE FROM meta")
            self._connection.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", list(meta.items()))
            run("COMMIT")
            if run("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise StoreError(f"{self._made} did not become a sound database; check the disk")
            self._connection.close()
            with self._made.open("r+b") as file:
                os.fsync(file.fileno())
            if self._held is not None:
                self._held.close()
            for end in ("-wal", "-shm"):
                Path(f"{self._path}{end}").unlink(missing_ok=True)
            self._made.replace(self._path)
            sync_folder(self._path.parent)

    def close(self) -> None:
        """Let go of the file; remove what was not finished."""
        for held in (getattr(self, "_connection", None), self._held):
            if held is not None:
                with suppress(sqlite3.Error):
                    held.close()
        if self._made is not None:
            for end in ("", "-wal", "-shm", "-journal"):
                Path(f"{self._made}{end}").unlink(missing_ok=True)

    def _source(self) -> sqlite3.Connection:
        assert self._held is not None
        version, known = refuse_newer(self._held, self._path), len(known_scripts())
        if version < known:
            raise StoreError(
                f"the database {self._path} is of version {version}, and {known} is needed: start `runyard up` on it "
                "once, which brings it there, and stop it again"
            )
        return self._held

    def _target(self) -> sqlite3.Connection:
        if self._held is not None:
            self._refuse_content(self._held)
        self._made = self._path.with_name(self._path.name + ".migrating")
        for end in ("", "-wal", "-shm", "-journal"):
            Path(f"{self._made}{end}").unlink(missing_ok=True)
        made = connection.open_writer(self._made)
        # One that breaks off is thrown away, so it needs no journal of its own.
        made.execute("PRAGMA journal_mode = OFF")
        made.execute("PRAGMA synchronous = OFF")
        made.execute("BEGIN")
        return made

    def _refuse_content(self, held: sqlite3.Connection) -> None:
        tables = held.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'meta'"
        ).fetchall()
        for (table,) in tables:
            if held.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone():  # noqa: S608 - a table's own name
                raise StoreError(
                    f"{self._path} is not empty: its table {table} has rows; choose another file"
                )

    def _largest(self, table: str) -> int:
        column = NUMBERED[table]
        return int(self._all(f'SELECT coalesce(max("{column}"), 0) FROM "{table}"')[0][0])  # noqa: S608 - names of ours

    def _all(self, statement: str) -> list[Any]:
        with self._faults():
            return self._connection.execute(statement).fetchall()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise connection.unavailable(error, self._path) from error


def _held(path: Path) -> sqlite3.Connection:
    """Open a file and keep everybody else from it. In WAL mode whoever has it open holds a lock that this finds."""
    held = sqlite3.connect(path, timeout=HELD_SECONDS, isolation_level=None)
    try:
        held.execute("PRAGMA locking_mode = EXCLUSIVE")
        held.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        held.close()
        if "locked" not in str(error):
            raise
        raise StoreUnavailable(
            f"the database {path} is in use; stop what uses it, as by `runyard down`, and try again"
        ) from error
    except BaseException:
        held.close()
        raise
    return held


def _list(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
