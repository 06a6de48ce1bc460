"""Steps: what is done again and again, for ever, and must not end for good when one turn of it goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

log = logging.getLogger("runyard.steps")


class Steps:
    """Does steps by their names. One that fails is told of, once for what goes wrong, and the next turn tries again."""

    def __init__(self) -> None:
        self._failing: dict[str, str] = {}

    async def do(self, name: str, work: Awaitable[T]) -> T | None:
        """Return what the step returns; None if it failed."""
        try:
            found = await work
        except Exception as error:
            self._note(name, error)
            return None
        if self._failing.pop(name, None):
            log.warning("%s: works again", name)
        return found

    def _note(self, name: str, error: Exception) -> None:
        words = repr(error)
        if self._failing.get(name) != words:
            log.error("%s failed, and is tried again", name, exc_info=error)
        self._failing[name] = words
