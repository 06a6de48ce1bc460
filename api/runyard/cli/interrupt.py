"""Being stopped from outside: a terminate signal is taken as Ctrl-C, so nothing is left behind unasked."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from runyard_cluster.errors import ConflictError

REASON = "interrupted by Ctrl-C"


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Within: SIGTERM raises KeyboardInterrupt."""
    try:
        before = signal.signal(signal.SIGTERM, _interrupt)
    except ValueError:  # Only the main thread may set handlers; in another there is nothing to take over.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def submit_surely(
    submit: Callable[[str], dict[str, Any]], undo: Callable[[dict[str, Any]], Any]
) -> dict[str, Any]:
    """Submit under a key of our own; interrupted meanwhile, learn by that key what was accepted; undo it."""
    key = secrets.token_hex(16)
    try:
        return submit(key)
    except KeyboardInterrupt:
        # What was that short has ended already, and there is nothing to undo.
        with suppress(ConflictError):
            undo(submit(key))
        raise


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
