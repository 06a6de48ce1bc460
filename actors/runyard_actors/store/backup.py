"""The daily copy of the database: in small steps, from a connection that only reads, so no commit waits for it."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from threading import Event

from runyard_actors.store.connection import open_reader, unavailable
from runyard_actors.store.copying import PARTIAL, copies_folder, copy_database, copy_place
from runyard_actors.store.errors import StoreFull
from runyard_actors.store.queries import sql
from runyard_cluster.sizes import format_size

#: A copy is due this long after the last one, in seconds; so many of them are kept.
EVERY_SECONDS = 86_400
KEPT = 3

#: How long the disk is left to others after each step, in seconds.
REST_SECONDS = 0.01

#: No copy is made that would leave less than this on its disk, in bytes.
ROOM_LEFT_BYTES = 2**30

_DAILY = "daily"


class _Stopped(Exception):  # noqa: N818 - no error
    """Whoever asked for the copy wants no more of it."""


def is_due(path: Path) -> bool:
    """Return whether there is a database, and the last copy of it is more than a day old."""
    if not path.exists():
        return False
    age = time.time() - max((copy.stat().st_mtime for copy in daily_copies(path)), default=0.0)
    # One from the future was made before the clock was set back.
    return not 0 <= age < EVERY_SECONDS


def back_up_daily(path: Path, stop: Event) -> Path | None:
    """Copy the database and remove the copies beyond those kept; None when `stop` was set meanwhile.

    The copy is of one moment. Raises StoreFull when there is no room for it, StoreUnavailable and StoreError.
    """

    def between_steps() -> None:
        if stop.wait(REST_SECONDS):
            raise _Stopped

    try:
        copy = copy_place(path, _DAILY)
        for left_over in copy.parent.glob(f"*{PARTIAL}"):
            left_over.unlink()
        _check_room(path, copy.parent)
        source = open_reader(path)
        if source is None:
            return None
        with closing(source):
            # Without one snapshot for all steps, which begins with the first that is read, the copy would begin anew
            # after each commit.
            source.execute("BEGIN")
            source.execute(sql("last_run")).fetchone()
            copy_database(source, copy, between_steps)
        for old in daily_copies(path)[:-KEPT]:
            old.unlink()
    except _Stopped:
        return None
    except (sqlite3.Error, OSError) as error:
        raise unavailable(error, path) from error
    return copy


def daily_copies(path: Path) -> list[Path]:
    """Return the daily copies of this database, the newest last."""
    return sorted(copies_folder(path).glob(f"{path.stem}-{_DAILY}-*{path.suffix}"))


def _check_room(path: Path, folder: Path) -> None:
    size, free = path.stat().st_size, shutil.disk_usage(folder).free
    if free - size < ROOM_LEFT_BYTES:
        raise StoreFull(
            f"no copy of the database was made: it has {format_size(size)}, the disk of {folder} has only "
            f"{format_size(free)} left, and {format_size(ROOM_LEFT_BYTES)} are to stay free"
        )
