"""Finds the configuration and the data folder with the standard library alone.

Reading all settings costs a third of a second of imports; commands that only look something up do not pay it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runyard_cluster.data_dir import DataDir, default_data_dir
from runyard_cluster.database_url import Where, database_place
from runyard_cluster.errors import SettingsError

CONFIG_NAME = "runyard.toml"


def locate(
    config: Path | None = None, *, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> DataDir:
    """Return the data folder that the settings name, or the default one. Raises SettingsError."""
    environ = os.environ if environ is None else environ
    cwd = cwd or Path.cwd()
    found = find_config(config, environ=environ, cwd=cwd)
    base = found.parent if found else cwd
    data = read_toml(found) if found else {}
    named = _text("data_dir", data, found, environ)
    url = _text("database_url", data, found, environ)
    return DataDir(
        absolute_path(named, base) if named else default_data_dir(),
        _database(url, base, found) if url else None,
    )


def find_config(
    config: Path | None = None, *, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Path | None:
    """Return the configuration in force, or None: named, `RUNYARD_CONFIG`, here and upwards, the user's.

    Raises SettingsError when a named file does not exist.
    """
    environ = os.environ if environ is None else environ
    cwd = cwd or Path.cwd()
    named = config or environ.get("RUNYARD_CONFIG")
    if named:
        path = absolute_path(named, cwd)
        if not path.is_file():
            raise SettingsError(f"{path}: no such file; name an existing {CONFIG_NAME}")
        return path
    folder = cwd.resolve()
    for each in (folder, *folder.parents):
        # Unlike Path.is_file, this takes a folder that may not be searched for one without the file.
        if os.path.isfile(each / CONFIG_NAME):  # noqa: PTH113
            return each / CONFIG_NAME
    own = _user_config()
    return own if own.is_file() else None


def read_toml(path: Path) -> dict[str, Any]:
    """Return a configuration file as it stands. Raises SettingsError with file and line."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is not UTF-8 (byte {error.start})") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: is not valid TOML: {error}") from error


def absolute_path(path: str | Path, base: Path) -> Path:
    """Make a path absolute without following a link at its end: what lies beside the link is meant.

    Raises SettingsError when it begins with the home of somebody who has none.
    """
    try:
        return Path(os.path.normpath(base.resolve() / Path(path).expanduser()))
    except RuntimeError as error:
        raise SettingsError(f"{path}: {error}") from error


def _text(key: str, data: Mapping[str, Any], source: Path | None, environ: Mapping[str, str]) -> str | None:
    value = environ.get(f"RUNYARD_{key.upper()}") or data.get(key)
    if value is None or (isinstance(value, str) and value and "\0" not in value):
        return value
    raise SettingsError(f"{source}: {key} must be a path, as a text")


def _database(url: str, base: Path, source: Path | None) -> Where:
    try:
        return database_place(url, base.resolve())
    except SettingsError as error:
        raise SettingsError(f"{source or 'environment'}: `database_url` {error}") from error


def _user_config() -> Path:
    import platformdirs

    return platformdirs.user_config_path("runyard", appauthor=False) / CONFIG_NAME
