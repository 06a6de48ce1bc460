"""Near its memory: a run whose tree holds 80, and then 90 percent of what it may is warned of, before it is ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.look import NodeLook, RunLook
from runyard_actors.manager.yard import Yard
from runyard_actors.measure import own_memory
from runyard_actors.run import RunId
from runyard_actors.store.changes import RunWarned
from runyard_cluster.sizes import format_size

#: Shares of its memory at which a run is warned of, each once an attempt.
SHARES = (0.8, 0.9)
#: The exact figure is dear: of one run it is asked for once in so many seconds.
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of an attempt: the share that was told, and until when its exact figure is not asked again."""

    told: float = 0.0
    until: float = 0.0


class MemoryWatch:
    """Judges each look by what was told before. Nothing is kept of runs that are far from their limit."""

    def __init__(self, exact: Callable[[RunLook], int] | None = None) -> None:
        """Ask `exact` for the bytes that a run's processes hold for themselves; the system if left out."""
        self._exact = exact or _own_memory
        self._known: dict[tuple[RunId, int], _Known] = {}

    def judge(self, look: NodeLook) -> list[tuple[ActiveRun, str]]:
        """Return what is to be told, and of which attempt. May read much from the system: not for the event loop."""
        before, self._known = self._known, {}
        found = []
        for run in look.runs:
            key, limit = run.attempt.key, memory_limit(run.attempt)
            known = before.get(key, _Known())
            if share_of(run.usage.memory, limit) > known.told and look.monotonic >= known.until:
                used = self._exact(run)
                if (share := share_of(used, limit)) > known.told:
                    found.append((run.attempt, words_of(used, limit)))
                    known = _Known(share)
                else:
                    known = _Known(known.told, look.monotonic + PATIENCE_SECONDS)
            if known != _Known():
                self._known[key] = known
        return found


async def tell_near_memory(yard: Yard, watch: MemoryWatch, look: NodeLook) -> None:
    """Warn of runs that are near their memory limit."""
    found = await asyncio.to_thread(watch.judge, look)
    now = time.time_ns() // 1000
    await yard.write_if_possible([RunWarned(run_id=a.run_id, words=words, at=now) for a, words in found])


def memory_limit(attempt: ActiveRun) -> int:
    """Return what an attempt may hold, in bytes; 0 for no limit."""
    return attempt.spec.request.memory_bytes if attempt.spec else 0


def share_of(used: int, limit: int) -> float:
    """Return the highest share that is reached; 0.0 for none, and where there is no limit."""
    return max((each for each in SHARES if limit and used >= each * limit), default=0.0)


def words_of(used: int, limit: int) -> str:
    """Say how near it is."""
    return f"uses {format_size(used)} of memory, {100 * used // limit} % of its limit of {format_size(limit)}"


def _own_memory(run: RunLook) -> int:
    return own_memory(run.usage, run.pids)
