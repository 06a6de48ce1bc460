"""Fence: end what a node still runs of attempts that were given up while nobody heard of it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from runyard_actors.attempt_file import COOKIE
from runyard_actors.nodes.messages import Lost
from runyard_actors.run import AttemptKey, Reason
from runyard_actors.run_folder import RunFolder
from runyard_cluster import process

#: A shim gets this long to end its tree before everything that carries the attempt's nonce is killed, in seconds.
SHIM_SECONDS = 5.0
SWEEP_SECONDS = 5.0
LOOK_SECONDS = 0.02

_WORDS = "its node was lost, and the run was given up before the node came back"


def end_lost(lost: Sequence[tuple[RunFolder, Lost]]) -> list[AttemptKey]:
    """End the attempts that live, all at once; return those of which something does not die."""
    living = [(folder, each) for folder, each in lost if not _is_over(folder)]
    for folder, _ in living:
        folder.request_stop(Reason.NODE_LOST, _WORDS, ended_by="node", grace_seconds=0.0)
    until = time.monotonic() + SHIM_SECONDS
    while any(folder.is_alive() for folder, _ in living) and time.monotonic() < until:
        # Nothing tells of a file that another process writes: look again.
        time.sleep(LOOK_SECONDS)
    return [each.key for folder, each in living if _sweep(folder, each.nonce)]


def _is_over(folder: RunFolder) -> bool:
    """Whether nothing of the attempt can run here: it never started, it ended, or this makes sure of it."""
    return folder.exit() is not None or folder.never_start(Reason.NODE_LOST, _WORDS) or _never_starts(folder)


def _never_starts(folder: RunFolder) -> bool:
    return "never_starts" in (folder.started() or {})


def _sweep(folder: RunFolder, nonce: str) -> bool:
    group = str((folder.child() or {}).get("cgroup", ""))
    return bool(process.sweep(COOKIE, nonce, limit_seconds=SWEEP_SECONDS, group=group))
