"""The writer: the store's only connection that changes anything, in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from runyard_actors.store.changes import Change


class StoreWriter:
    """Commits changes durably, many calls per commit."""

    def __init__(self, path: Path) -> None:
        """Open or create the database at `path`. Raises StoreError or StoreUnavailable."""
        self.on_commit: Callable[[int], None] | None = None

    def write(self, changes: Sequence[Change]) -> Future[None]:
        """Record all of `changes` or none; the future ends once they are on disk."""
        raise NotImplementedError

    def close(self) -> None:
        """Commit what was given so far and release the database."""
