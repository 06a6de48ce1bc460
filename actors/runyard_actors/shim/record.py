"""The shim's side of its folder's records; the shim lives in that folder, so bare names are enough."""

from __future__ import annotations

import os

from runyard_actors import attempt_file
from runyard_actors.shim.quick_json import dumps, loads
from runyard_actors.shim.spec import ShimSpec
from runyard_cluster.files import create_exclusively, durable_replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

#: Where the exit record is prepared. It takes its space before the run starts, so that a full disk cannot keep a
#: run from telling how it ended.
_EXIT_BESIDE = ".exit.json"
_EXIT_BYTES = 4096


def claim(record: Json) -> bool:
    """Decide whether this attempt ever starts; only the first one who asks gets True.

    Not synced to the disk: a power cut ends this boot, and with it the attempt, as the store knows by the boot's id.
    """
    with open(_EXIT_BESIDE, "wb") as file:
        file.write(b" " * _EXIT_BYTES)
    if create_exclusively(attempt_file.STARTED, dumps(record).encode()):
        return True
    _remove(_EXIT_BESIDE)
    return False


def read_spec() -> ShimSpec:
    """Return what is to be run, and remove it from the disk, since it holds the environment."""
    with open(attempt_file.SPEC, "rb") as file:
        fields = loads(file.read().decode())
    forget_spec()
    return ShimSpec(**fields)


def forget_spec() -> None:
    """Remove what was to be run, whoever left it."""
    _remove(attempt_file.SPEC)


def write_child(record: Json) -> None:
    """Record the module's own process."""
    durable_replace(attempt_file.CHILD, dumps(record).encode())


def write_gap(start: int, end: int) -> None:
    """Record which bytes of the log are dropped."""
    durable_replace(attempt_file.LOG_GAP, dumps({"start": start, "end": end}).encode())


def is_suspend_asked() -> bool:
    """Whether somebody wants the run to be held still now."""
    return os.path.exists(attempt_file.SUSPEND)


def write_suspended(at: int) -> None:
    """Record that the run is held still, for others to show; a full disk does not keep it from being held."""
    try:
        durable_replace(attempt_file.SUSPENDED, dumps({"suspended_at": at}).encode())
    except OSError:
        return


def forget_suspended() -> None:
    """Record that the run goes on."""
    _remove(attempt_file.SUSPENDED)


def read_stop() -> Json | None:
    """Return the request to end the run, if there is one; an empty one was made on a disk without room for words."""
    try:
        with open(attempt_file.STOP, "rb") as file:
            found = loads(file.read().decode() or "{}")
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_exit(record: Json) -> None:
    """Record the end. Renamed into place, not synced: the store's commit of it is what must outlive a power cut."""
    data = dumps(record).encode()
    descriptor = os.open(_EXIT_BESIDE, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    try:
        os.write(descriptor, data)
        os.ftruncate(descriptor, len(data))
    finally:
        os.close(descriptor)
    os.replace(_EXIT_BESIDE, attempt_file.EXIT)


def _remove(name: str) -> None:
    try:
        os.unlink(name)
    except OSError:
        pass
