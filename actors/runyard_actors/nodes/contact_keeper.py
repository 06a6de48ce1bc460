"""Contact keeper: the agent's part of knowing when the manager had surely heard of its node last.

An answer proves nothing, as it may get lost. That the manager asks on proves that it has had the answer before.
"""

from __future__ import annotations

import logging
from pathlib import Path

from runyard_actors import contact

log = logging.getLogger("runyard.node")


class ContactKeeper:
    """Notes in `file` when the last answer was given that surely arrived, once anybody wants to know."""

    def __init__(self, file: Path) -> None:
        self.file = str(file)
        self._is_wanted = False
        self._facts_at = self._answered_at = self._sure_at = 0

    def told_facts(self) -> None:
        """The manager is told what this node is, now."""
        self._facts_at = self._answered_at = contact.now_ns()

    def told_news(self) -> None:
        """The manager is told news, now."""
        self._answered_at = contact.now_ns()

    def is_asked_for_news(self) -> None:
        """The manager asks on: it has had the last answer."""
        self._note(self._answered_at)

    def is_lost(self, seconds: float) -> bool:
        """Whether the last contact is longer ago than that. Who asks for it was told the facts."""
        self._is_wanted = True
        self._note(self._facts_at)
        return contact.silent_seconds(self.file) > seconds

    def _note(self, at_ns: int) -> None:
        self._sure_at = max(self._sure_at, at_ns)
        if not self._is_wanted:
            return
        try:
            contact.note(self.file, self._sure_at)
        except OSError as error:
            log.error("the supervisors here cannot be told that the manager is there: %s", error)
