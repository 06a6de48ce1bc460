"""Copies of the database: made beside their place, whole or not there, for their owner only."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from runyard_cluster.files import sync_folder

#: Pages copied in one step, 1 MiB with SQLite's usual pages: a step holds up nobody for long.
STEP_PAGES = 256

#: The end of a copy's name while it is made.
PARTIAL = ".partial"


def copy_place(path: Path, kind: str) -> Path:
    """Return where a copy of the database made now goes: into `backups` beside it, made if it is missing."""
    folder = copies_folder(path)
    folder.mkdir(mode=0o700, exist_ok=True)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return folder / f"{path.stem}-{kind}-{stamp}{path.suffix}"


def copies_folder(path: Path) -> Path:
    """Return the folder of the copies of this database."""
    return path.parent / "backups"


def copy_database(
    source: sqlite3.Connection, copy: Path, between_steps: Callable[[], None] = lambda: None
) -> Path:
    """Copy all that `source` sees, durably; `between_steps` may raise to give up, which leaves nothing behind.

    Raises sqlite3.Error and OSError.
    """
    partial = copy.with_name(copy.name + PARTIAL)
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    try:
        with closing(sqlite3.connect(partial, isolation_level=None)) as target, partial.open("r+b") as file:
            # A copy that breaks off is thrown away, so it needs no journal of its own.
            target.execute("PRAGMA journal_mode = OFF")
            target.execute("PRAGMA synchronous = OFF")

            def after_step(*_: int) -> None:
                # Little by little: one great sync at the end would keep commits waiting on the same disk.
                os.fsync(file.fileno())
                between_steps()

            source.backup(target, pages=STEP_PAGES, progress=after_step)
            target.close()
            os.fsync(file.fileno())
        partial.replace(copy)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(copy.parent)
    return copy
