"""Where the server of a data folder listens, as it tells everyone who may read the folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runyard_cluster.errors import UnavailableError
from runyard_cluster.process import is_locked

if TYPE_CHECKING:
    from runyard_cluster.data_dir import DataDir


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server's address, and the token it wants."""

    url: str
    token: str = field(repr=False)
    is_embedded: bool = False


def running_server(data_dir: DataDir) -> Endpoint | None:
    """Return where the server of this data folder listens; None when none is ready."""
    record = server_record(data_dir)
    if record is None:
        return None
    try:
        token = data_dir.token_file.read_text("utf-8").strip()
    except OSError:
        return None
    return Endpoint(record["url"], token, bool(record["is_embedded"]))


def server_record(data_dir: DataDir) -> dict[str, Any] | None:
    """Return what the running server wrote of itself: a record without a living server is not one.

    Raises UnavailableError for a data folder that none can be: a file, somebody else's, a name that is too long.
    """
    try:
        if not is_locked(data_dir.server_lock):
            return None
    except OSError as error:
        words = f"the data folder {data_dir.path} cannot be used: {error.strerror}"
        raise UnavailableError(words) from error
    try:
        found = json.loads(data_dir.server_file.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
