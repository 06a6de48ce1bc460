"""Noted starts: that a process runs is recorded with others of which this is heard at the same time.

Nobody waits for that record, so it takes no commit of its own from those that somebody waits for; a run that ends first
has its start and its end in one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from runyard_actors.run import RunId
from runyard_actors.store.changes import AttemptStarted

NOTE_SECONDS = 0.01


class NotedStarts:
    """What is known of starts and not on its way to the disk yet; `write` takes it there, within NOTE_SECONDS."""

    def __init__(self, write: Callable[[Sequence[AttemptStarted]], None]) -> None:
        self._write = write
        self._noted: dict[RunId, AttemptStarted] = {}

    def note(self, change: AttemptStarted) -> None:
        """Have it written in a moment."""
        if not self._noted:
            asyncio.get_running_loop().call_later(NOTE_SECONDS, self.write)
        self._noted[change.run_id] = change

    def take(self, run_id: RunId) -> AttemptStarted | None:
        """Return what is noted of a run, for who writes it together with what comes next; None if nothing is."""
        return self._noted.pop(run_id, None)

    def write(self) -> None:
        """Have all of it written now."""
        noted, self._noted = self._noted, {}
        if noted:
            self._write(list(noted.values()))
