"""Stopping: have an attempt end, or never start, on the node where it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from runyard_actors.attempt_file import COOKIE
from runyard_actors.ending import SWEEP_SECONDS
from runyard_actors.run import AttemptKey
from runyard_actors.run_folder import RunFolder
from runyard_cluster import process

log = logging.getLogger("runyard.node")


@dataclass(frozen=True, slots=True, kw_only=True)
class StopOrder:
    """Somebody wants an attempt to end, or never to start.

    `nonce` is the attempt's own; what follows it is as in `RunFolder.request_stop`.
    """

    key: AttemptKey
    nonce: str
    reason: str
    detail: str
    ended_by: str = "user"
    grace_seconds: float | None = None


def stop_attempt(folder: RunFolder, order: StopOrder, *, is_started: bool) -> None:
    """Keep an attempt on this node from ever starting, or have its shim end it: who claims the folder first decides.

    Raises OSError where there is no room for the words of one that has not started.
    """
    if is_started and not folder.path.is_dir():
        _end_without_folder(folder, order)
    elif is_started or not folder.never_start(order.reason, order.detail):
        folder.request_stop(
            order.reason, order.detail, ended_by=order.ended_by, grace_seconds=order.grace_seconds
        )


def _end_without_folder(folder: RunFolder, order: StopOrder) -> None:
    """Somebody removed the folder of a run that goes on, and with it the way to ask its shim: end the run itself."""
    left = process.sweep(COOKIE, order.nonce, limit_seconds=SWEEP_SECONDS)
    words = f", but {left}" if left else ""
    log.warning("the folder %s is gone; its run was ended without%s", folder.path, words)
