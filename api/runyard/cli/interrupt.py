"""Being stopped from outside: a terminate signal is taken as Ctrl-C, so nothing is left behind unasked."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Self

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


class Submitting:
    """Answers for what is submitted within, until somebody takes over: interrupted before that, it is undone.

    It is submitted under a key of our own, by which it can be learned what was accepted when no answer came.
    """

    def __init__(
        self, submit: Callable[[str], dict[str, Any]], undo: Callable[[dict[str, Any]], Any]
    ) -> None:
        self._submit = submit
        self._undo = undo
        self._key = secrets.token_hex(16)
        self._is_ours = False

    def __enter__(self) -> Self:
        return self

    def submit(self) -> dict[str, Any]:
        """Submit; return what was accepted."""
        self._is_ours = True
        return self._submit(self._key)

    def hand_over(self) -> None:
        """From now on who calls this answers for what was accepted, at an interrupt as well."""
        self._is_ours = False

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._is_ours and kind is not None and issubclass(kind, KeyboardInterrupt):
            # What was that short has ended already, and there is nothing to undo.
            with suppress(ConflictError):
                self._undo(self._submit(self._key))


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
