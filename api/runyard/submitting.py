"""Submitting, open to Ctrl-C: what was accepted is undone as long as nobody has it in hand."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from runyard_cluster.errors import ConflictError

REASON = "interrupted by Ctrl-C"


class Submitting:
    """Answers for what is submitted within, until the block ends or somebody takes over: an interrupt undoes it.

    It is submitted under a key of our own, by which it can be learned what was accepted when no answer came. Under a
    `key` of the caller's nothing is undone: it may have been submitted before, and is found by sending it once more.
    """

    def __init__(
        self,
        submit: Callable[[str], dict[str, Any]],
        undo: Callable[[dict[str, Any]], Any],
        key: str | None = None,
    ) -> None:
        self._submit = submit
        self._undo = undo
        self._is_own = key is None
        self._key = secrets.token_hex(16) if key is None else key
        self._is_ours = False

    def __enter__(self) -> Self:
        return self

    def submit(self) -> dict[str, Any]:
        """Submit; return what was accepted."""
        self._is_ours = self._is_own
        return self._submit(self._key)

    def hand_over(self) -> None:
        """From now on who calls this answers for what was accepted, at an interrupt as well."""
        self._is_ours = False

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._is_ours and kind is not None and issubclass(kind, KeyboardInterrupt):
            # What was that short has ended already, and there is nothing to undo.
            with suppress(ConflictError):
                self._undo(self._submit(self._key))
