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
from runyard_cluster.errors import SettingsError

CONFIG_NAME = "runyard.toml"


def locate(
    config: Path | None = None, *, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> DataDir:
    """Return the data folder that the settings name, or the default one. Raises SettingsError."""
    environ = os.environ if environ is None else environ
    cwd = cwd or Path.cwd()
    found = find_config(config, environ=environ, cwd=cwd)
    named = environ.get("RUNYARD_DATA_DIR") or (read_toml(found).get("data_dir") if found else None)
    if named is None:
        return DataDir(default_data_dir())
    if not isinstance(named, str) or not named:
        raise SettingsError(f"{found}: data_dir must be a path, as a text")
    return DataDir(_absolute(named, found.parent if found else cwd))


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
        path = _absolute(named, cwd)
        if not path.is_file():
            raise SettingsError(f"{path}: no such file; name an existing {CONFIG_NAME}")
        return path
    folder = cwd.resolve()
    for each in (folder, *folder.parents):
        if (each / CONFIG_NAME).is_file():
            return each / CONFIG_NAME
    own = _user_config()
    return own if own.is_file() else None


def read_toml(path: Path) -> dict[str, Any]:
    """Return a configuration file as it stands. Raises SettingsError with file and line."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is not UTF-8 (byte {error.start})") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: is not valid TOML: {error}") from error


def _user_config() -> Path:
    import platformdirs

    return platformdirs.user_config_path("runyard", appauthor=False) / CONFIG_NAME


def _absolute(path: str | Path, base: Path) -> Path:
    """Make a path absolute without following a link at its end: what lies beside the link is meant."""
    return Path(os.path.normpath(base.resolve() / Path(path).expanduser()))
