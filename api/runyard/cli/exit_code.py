"""Exit codes: what a caller in a shell learns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runyard_cluster import errors

GOOD = 0
SOME_FAILED = 1
MISUSED = 2
NO_SERVER = 3
TIMED_OUT = 124
OWN_FAILURE = 125
CANNOT_EXECUTE = 126
NOT_FOUND = 127
#: 128 and the number of the signal, as shells have it.
SIGNALLED = 128
MEMORY_LIMIT = SIGNALLED + 9
INTERRUPTED = SIGNALLED + 2
BROKEN_PIPE = SIGNALLED + 13

_OF_ERROR: tuple[tuple[type[Exception], int], ...] = (
    (errors.InvalidRequestError, MISUSED),
    (errors.NotFoundError, MISUSED),
    (errors.ResourceLimitError, MISUSED),
    (errors.ConnectionFailedError, NO_SERVER),
    (errors.AuthenticationError, NO_SERVER),
    (errors.UnavailableError, NO_SERVER),
)
_OF_REASON = {
    "timeout": TIMED_OUT,
    "memory_limit": MEMORY_LIMIT,
    "gpu_memory_limit": MEMORY_LIMIT,
    "node_lost": OWN_FAILURE,
    "supervisor_lost": OWN_FAILURE,
}


def code_of_error(error: Exception) -> int:
    """Return the exit code for an error of ours."""
    return next((code for kind, code in _OF_ERROR if isinstance(error, kind)), SOME_FAILED)


def code_of_run(run: Mapping[str, Any]) -> int:
    """Return the exit code that `runyard run` ends with for an ended run."""
    if run["status"] == "completed":
        return GOOD
    reason = run.get("reason")
    if reason == "start_error":
        return _not_started(run)
    if reason in _OF_REASON:
        return _OF_REASON[reason]
    if run.get("signal"):
        return SIGNALLED + int(run["signal"])
    if run.get("exit_code"):
        return int(run["exit_code"])
    return INTERRUPTED if run["status"] == "cancelled" else OWN_FAILURE


def code_of_all(runs: Iterable[Mapping[str, Any]]) -> int:
    """Return the exit code of commands that waited for several runs."""
    return GOOD if all(run["status"] == "completed" for run in runs) else SOME_FAILED


def _not_started(run: Mapping[str, Any]) -> int:
    if run.get("exit_code") in (CANNOT_EXECUTE, NOT_FOUND):
        return int(run["exit_code"])
    detail = run.get("reason_detail") or ""
    return NOT_FOUND if detail.startswith(("program not found", "script not found")) else CANNOT_EXECUTE
