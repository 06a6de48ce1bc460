"""Migrations: forward only, each in one transaction, with a backup of what was there before."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from runyard_actors.store.copying import copy_database, copy_place
from runyard_actors.store.errors import StoreError


def migrate(connection: sqlite3.Connection, path: Path, scripts: Sequence[str] | None = None) -> None:
    """Bring the database to the newest version, which is the number of `scripts`.

    Raises StoreError when it comes from a newer runyard, and sqlite3.Error.
    """
    scripts = known_scripts() if scripts is None else scripts
    version = refuse_newer(connection, path, len(scripts))
    if 0 < version < len(scripts):
        copy_database(connection, copy_place(path, f"v{version}"))
    for number, script in enumerate(scripts[version:], start=version + 1):
        _apply(connection, script, number)


def refuse_newer(connection: sqlite3.Connection, path: Path, known: int | None = None) -> int:
    """Return the database's version, 0 for an empty one. Raises StoreError when it is newer than known."""
    known = len(known_scripts()) if known is None else known
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > known:
        raise StoreError(
            f"the database {path} is of version {version} and this runyard knows versions up to {known}: "
            "it was used by a newer runyard; upgrade, or choose another data_dir"
        )
    return int(version)


@cache
def known_scripts() -> tuple[str, ...]:
    """Return the migrations in order: the first makes version 1."""
    folder = files("runyard_actors.store").joinpath("migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


def _apply(connection: sqlite3.Connection, script: str, number: int) -> None:
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
