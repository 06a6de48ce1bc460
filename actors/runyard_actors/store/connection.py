"""Opening the database: one connection that writes, and short ones that only read."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from runyard_actors.store.errors import StoreError, StoreFull, StoreUnavailable
from runyard_actors.store.migrate import known_scripts, migrate, refuse_newer
from runyard_actors.store.queries import sql

#: How long a call waits for a database that another process holds, in seconds.
BUSY_SECONDS = 5.0

#: A database up to this size is checked at every start, a larger one once a day: the check reads all of it.
CHECK_ALWAYS_BYTES = 64 * 2**20
CHECK_EVERY_SECONDS = 86_400

#: The write-ahead log is cut back to this size once all of it is in the database, in bytes.
WAL_LIMIT_BYTES = 16 * 2**20
#: From this size on, who has read for long is taken to be why it grows, in bytes.
SWOLLEN_WAL_BYTES = 4 * WAL_LIMIT_BYTES


def open_writer(path: Path) -> sqlite3.Connection:
    """Open the database for writing; create, check and migrate it as needed.

    Raises StoreError when it is damaged or from a newer version, StoreUnavailable when it cannot be reached.
    """
    try:
        _make_private(path)
        connection = _connect(path, BUSY_SECONDS)
        try:
            migrate(connection, path)
            _check(connection, path)
            _undo_in_memory(connection)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise (_damaged if _is_damage(error) else unavailable)(error, path) from error
    return connection


def reopen_writer(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """Open again what this process had open; create nothing. Raises sqlite3.Error or OSError."""
    if not path.exists():
        raise FileNotFoundError(f"{path} is gone")
    connection = _connect(path, busy_seconds)
    _undo_in_memory(connection)
    return connection


def open_reader(path: Path) -> sqlite3.Connection | None:
    """Open the database for reading; None while there is nothing in it.

    Raises StoreError when it comes from a newer runyard, StoreUnavailable while it is not migrated yet, and
    sqlite3.Error.
    """
    connection = _open_reading(path)
    try:
        version = refuse_newer(connection, path)
        if 0 < version < len(known_scripts()):
            raise StoreUnavailable(
                f"the database {path} is of version {version}, from an older runyard: the next server, as of "
                f"`runyard up`, brings it to version {len(known_scripts())} and keeps a copy of what it was"
            )
    except BaseException:
        connection.close()
        raise
    if version == 0:
        connection.close()
        return None
    connection.row_factory = sqlite3.Row
    return connection


def _open_reading(path: Path) -> sqlite3.Connection:
    """Where no file may be created beside it, SQLite cannot open a database in WAL mode in the ordinary way.

    If there is nothing in the log then, the file holds everything and nobody writes it.
    """
    where = f"file:{quote(str(path.resolve()))}?mode=ro"
    connection = _read_only(where)
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        log = Path(f"{path}-wal")
        if log.exists() and log.stat().st_size > 0:
            raise
        connection = _read_only(f"{where}&immutable=1")
    return connection


def unavailable(error: sqlite3.Error | OSError, path: Path) -> StoreUnavailable:
    """Return what callers see for an error of SQLite or of the file system."""
    if "full" in str(error):
        return StoreFull(f"the disk with the database {path} is full; free some space and try again")
    return StoreUnavailable(f"the database {path} cannot be used right now: {error}")


def _make_private(path: Path) -> None:
    """Create the file for its owner only: it holds environments. SQLite's files beside it take its mode.

    One that others could read, as a copy that was put back, is theirs no more.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        if file.exists() and file.stat().st_mode & 0o077:
            # Only its owner can change that; somebody else's file that can be written was shared on purpose.
            with suppress(PermissionError):
                file.chmod(0o600)


def _connect(path: Path, busy_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=busy_seconds, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        _set_up(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _read_only(where: str) -> sqlite3.Connection:
    return sqlite3.connect(
        where, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    # On macOS a plain fsync leaves the data in the drive's cache; elsewhere this changes nothing.
    connection.execute("PRAGMA fullfsync = 1")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
    connection.execute("PRAGMA cache_size = -32768")


def _undo_in_memory(connection: sqlite3.Connection) -> None:
    """Keep what may have to be taken back in memory, a few pages, in place of a file for each commit.

    Not before migrations: an index over many runs is sorted on disk.
    """
    connection.execute("PRAGMA temp_store = MEMORY")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    now = int(time.time())
    (checked_at,) = connection.execute(sql("checked_at")).fetchone()
    if path.stat().st_size > CHECK_ALWAYS_BYTES and abs(now - checked_at) < CHECK_EVERY_SECONDS:
        return
    (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise sqlite3.DatabaseError(f"malformed: {answer}")
    connection.execute(sql("note_check"), {"at": now})


def _is_damage(error: Exception) -> bool:
    return "malformed" in str(error) or "not a database" in str(error)


def _damaged(error: Exception, path: Path) -> StoreError:
    return StoreError(
        f"the database {path} is damaged ({error}). Stop runyard, move the file away together with "
        f"{path.name}-wal and {path.name}-shm, and copy the newest backup from {path.parent / 'backups'} "
        "in its place; without a backup runyard starts with an empty history"
    )
