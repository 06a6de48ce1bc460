"""Unresponsive: supervisors that somebody holds still. It is told, and a run that was cancelled ends all the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.yard import Yard, log
from runyard_actors.run import RunId
from runyard_actors.store.changes import RunWarned
from runyard_cluster import process

#: A supervisor that was told to go on and to end its run has so long, beside the run's grace, before it is killed.
LATE_SECONDS = 1.0

HELD = (
    "its supervisor is unresponsive: somebody holds it still (a signal, a debugger), so limits and timeout wait; "
    "cancel ends the run all the same"
)
GOES_ON = "its supervisor responds again"

_Key = tuple[RunId, int]


class SupervisorWatch:
    """Knows which supervisors are held still, and since when those are that should end their run."""

    def __init__(self) -> None:
        self._held: set[_Key] = set()
        self._overdue_since: dict[_Key, float] = {}

    async def look(self, yard: Yard, now: float) -> None:
        """Tell what changed, and kill supervisors that keep a cancelled run alive; `now` is a monotonic clock's.

        The death of its supervisor is a run's: the main process dies with it, and the node agent sweeps the rest.
        """
        started = [attempt for attempt in yard.active_here() if attempt.started]
        held = await asyncio.to_thread(_held, started)
        overdue = {
            _key(attempt): self._overdue_since.get(_key(attempt), now) for attempt in held if attempt.cancel
        }
        self._overdue_since = overdue
        for attempt in held:
            if now - overdue.get(_key(attempt), now) >= yard.settings.grace + LATE_SECONDS:
                log.warning("the supervisor of %s does not end it; it is ended without", attempt.run_id)
                await asyncio.to_thread(attempt.folder.end_supervisor)
        await yard.write_if_possible(self._news(started, held))

    def _news(self, started: Sequence[ActiveRun], held: Sequence[ActiveRun]) -> list[RunWarned]:
        before, self._held = self._held, {_key(attempt) for attempt in held}
        at = time.time_ns() // 1000
        return [
            RunWarned(run_id=a.run_id, words=HELD if _key(a) in self._held else GOES_ON, at=at)
            for a in started
            if (_key(a) in before) != (_key(a) in self._held)
        ]


def _held(attempts: Sequence[ActiveRun]) -> list[ActiveRun]:
    held = set(process.held_still(a.started.shim_pid for a in attempts if a.started))
    return [a for a in attempts if a.started and a.started.shim_pid in held]


def _key(attempt: ActiveRun) -> _Key:
    return (attempt.run_id, attempt.attempt)
