"""What a `database_url` names: a file, or a database on a PostgreSQL server."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from runyard_cluster.errors import SettingsError

#: The beginning of a `database_url` that names a file.
SQLITE = "sqlite:///"
#: That of one that names a database on a PostgreSQL server; it also names the driver, psycopg.
POSTGRES = "postgresql+psycopg://"


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """A database on a PostgreSQL server. As a text it hides the password."""

    url: str = field(repr=False)

    @property
    def conninfo(self) -> str:
        """The same in the words of PostgreSQL's own programs."""
        return f"postgresql://{self.url.removeprefix(POSTGRES)}"

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        user, _, at = parts.netloc.rpartition("@")
        place = f"{user.partition(':')[0]}@{at}" if user else at
        # What is behind a "?" may hold a password too.
        return f"{POSTGRES}{place}{parts.path}"


#: Where a store lies.
Where: TypeAlias = Path | PostgresUrl


def database_place(url: str, base: Path) -> Where:
    """Return what a `database_url` names, files relative to `base`. Raises SettingsError for anything else."""
    return _postgres(url) if url.startswith(POSTGRES) else _file(url, base)


def absolute_url(url: str, base: Path) -> str:
    """Return a `database_url` whose file is absolute; one that names no file stays as it is."""
    try:
        return f"{SQLITE}{_file(url, base.resolve())}"
    except SettingsError:
        return url


def _file(url: str, base: Path) -> Path:
    name = url.removeprefix(SQLITE)
    if name == url or name in ("", ":memory:") or "\0" in name or "?" in name:
        raise _refusal()
    return Path(os.path.normpath(base / name))


def _postgres(url: str) -> PostgresUrl:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise _refusal() from error
    if not parts.path.strip("/") or "\0" in url:
        raise _refusal()
    return PostgresUrl(url)


def _refusal() -> SettingsError:
    # The URL itself may hold a password: it is not shown.
    return SettingsError(f"must be {SQLITE} and the path of a file, or {POSTGRES}user:password@host/database")
