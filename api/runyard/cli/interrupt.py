"""Being stopped from outside: a terminate signal is taken as Ctrl-C, so nothing is left behind unasked."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


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


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
