"""`fullscreen`: while a program fills the screen, as a game, a film or a presentation does."""

from __future__ import annotations

from collections.abc import Callable

from runyard_cluster import screen
from runyard_cluster.pause.rule import Own


class FullScreen:
    """Holds while `read` says True; it says None where that cannot be told."""

    def __init__(self, read: Callable[[], bool | None] = screen.is_full) -> None:
        self._read = read

    def holds(self, own: Own) -> str | None:
        """Say so while a program fills the screen."""
        return "while a program fills the screen" if self._read() else None

    def missing(self) -> str | None:
        """Say what would be needed to tell."""
        return screen.NEEDED if self._read() is None else None
