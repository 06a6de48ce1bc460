"""The shim's side of what lies beside its record; the shim lives in that folder, so bare names are enough."""

from __future__ import annotations

import os

from runyard_actors import attempt_file
from runyard_actors.shim.quick_json import dumps, loads
from runyard_actors.shim.spec import ShimSpec
from runyard_cluster.files import durable_replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]


def read_spec() -> ShimSpec:
    """Return what is to be run, and remove it from the disk, since it holds the environment."""
    with open(attempt_file.SPEC, "rb") as file:
        fields = loads(file.read().decode())
    forget_spec()
    return ShimSpec(**fields)


def forget_spec() -> None:
    """Remove what was to be run, whoever left it."""
    _remove(attempt_file.SPEC)


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


def report_bytes() -> int:
    """Return how much the module reported, in bytes."""
    try:
        return os.stat(attempt_file.REPORT).st_size
    except OSError:
        return 0


def _remove(name: str) -> None:
    try:
        os.unlink(name)
    except OSError:
        pass
