"""A database of PostgreSQL as one end of a transfer: a target is filled in one transaction."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql as words

from runyard_actors.store.errors import StoreError, StoreUnavailable
from runyard_actors.store.postgres.claim import claim, let_go, name_of
from runyard_actors.store.postgres.connection import BEGIN_READING
from runyard_actors.store.postgres.database import PostgresDatabase
from runyard_actors.store.postgres.fault import fault
from runyard_actors.store.postgres.schema import check_server, is_ready, migrate
from runyard_actors.store.postgres.session import connect
from runyard_actors.store.transfer.end import NUMBERED, OWN_KEYS, PART
from runyard_cluster.database_url import PostgresUrl


class PostgresEnd:
    """Holds the writer's lock, so that no server runs on it."""

    def __init__(self, where: PostgresUrl, *, is_target: bool) -> None:
        self._where = where
        # Another one that does the same is another owner: neither takes the lock from the other.
        name = name_of(f"migrate:{os.getpid()}")
        with self._faults():
            self._raw = connect(where, name, writes=True)
            try:
                # Both ends take turns, and one may take long.
                self._raw.execute("SET idle_in_transaction_session_timeout = 0")
                check_server(self._raw, where)
                claim(self._raw, where, name)
                self._begin_target() if is_target else self._begin_source()
            except BaseException:
                self._raw.close()
                raise

    def tables(self) -> list[str]:
        """Return the tables of the store but `meta`."""
        names = self._all("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1")
        return [name for (name,) in names if name != "meta"]

    def columns(self, table: str) -> list[str]:
        """Return a table's columns in the order of their names."""
        found = self._all(
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND table_name = %s",
            (table,),
        )
        return sorted(name for (name,) in found)

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self._all(words.SQL("SELECT count(*) FROM {}").format(words.Identifier(table)))[0][0])

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Sequence[Any]]:
        """Yield all rows of a table."""
        query = words.SQL("DECLARE all_rows NO SCROLL CURSOR FOR SELECT {} FROM {}")
        self._run(query.format(_list(columns), words.Identifier(table)))
        while part := self._all(f"FETCH FORWARD {PART} FROM all_rows"):
            yield from part
        self._run("CLOSE all_rows")

    def put(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Write rows into an empty table."""
        query = words.SQL("COPY {} ({}) FROM STDIN").format(words.Identifier(table), _list(columns))
        with self._faults(), self._raw.cursor() as cursor, cursor.copy(query) as copy:
            for row in rows:
                copy.write_row(row)

    def numbers(self) -> dict[str, int]:
        """Return the last numbers given out."""
        kept = dict(self._all("SELECT key, value FROM meta"))
        given = {"runs": kept["last_run"], "events": kept["last_event"]}
        return {table: max(given.get(table, 0), self._largest(table)) for table in NUMBERED}

    def meta(self) -> dict[str, int]:
        """Return what `meta` holds of the store itself."""
        return {k: v for k, v in self._all("SELECT key, value FROM meta") if k not in OWN_KEYS}

    def finish(self, numbers: Mapping[str, int], meta: Mapping[str, int]) -> None:
        """Commit."""
        kept = {**meta, "last_run": numbers["runs"], "last_event": numbers["events"]}
        put = "INSERT INTO meta (key, value) VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        for item in kept.items():
            self._run(put, item)
        for table, column in NUMBERED.items():
            following = "SELECT setval(pg_get_serial_sequence(%s, %s), %s, false)"
            self._run(following, (table, column, numbers[table] + 1))
        self._run("COMMIT")
        # Without it the first plans go by guesses.
        self._run("ANALYZE")

    def close(self) -> None:
        """Let go; what was not committed is undone."""
        let_go(self._raw)

    def _begin_source(self) -> None:
        if not is_ready(self._raw, self._where):
            raise StoreError(f"there is no store in {self._where}")
        self._raw.execute(BEGIN_READING)

    def _begin_target(self) -> None:
        self._raw.execute("BEGIN")
        migrate(self._raw, self._where)
        for table in self.tables():
            if self.count(table):
                raise StoreError(f"{self._where} is not empty: its table {table} has rows; choose another")

    def _largest(self, table: str) -> int:
        query = words.SQL("SELECT coalesce(max({}), 0) FROM {}")
        return int(self._all(query.format(words.Identifier(NUMBERED[table]), words.Identifier(table)))[0][0])

    def _run(self, query: Any, values: Sequence[Any] | None = None) -> psycopg.Cursor[Any]:
        with self._faults():
            return self._raw.execute(query, values)

    def _all(self, query: Any, values: Sequence[Any] | None = None) -> list[Any]:
        return list(self._run(query, values).fetchall())

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except psycopg.DataError as error:
            raise StoreError(f"{self._where} cannot hold this: {error}") from error
        except psycopg.Error as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: psycopg.Error) -> StoreUnavailable:
        return PostgresDatabase(self._where, "").unavailable(fault(error))


def _list(columns: Sequence[str]) -> words.Composed:
    return words.SQL(", ").join(map(words.Identifier, columns))
