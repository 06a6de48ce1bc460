"""Memory pressure: what is done when the machine, or the container we are in, is about to have no memory left.

The kernel would kill whom it likes. So nothing new starts near the end, and closer to it the run that is furthest over
its own declaration is stopped. A run that keeps to what it declared is never stopped for what others take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.look import NodeLook, RunLook
from runyard_actors.manager.other_node import OtherNode
from runyard_actors.manager.stop_run import stop_run
from runyard_actors.manager.yard import Yard, log
from runyard_actors.measure import own_memory
from runyard_actors.run import AttemptKey, Reason
from runyard_cluster.errors import UnavailableError
from runyard_cluster.sizes import format_size

#: Percent of memory in use from which on nothing starts, and from which on a run that is over its own is stopped.
HOLD_PERCENT = 92.0
STOP_PERCENT = 96.0
#: A run that was stopped gets this long to give its memory back before another one is looked for, in seconds.
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """One run's bytes: what its tree holds, and what it declared."""

    attempt: ActiveRun
    used: int
    declared: int

    @property
    def over(self) -> int:
        """Bytes above the declaration; a run that declared none is over by all that it has."""
        return self.used - self.declared


@dataclass(frozen=True, slots=True)
class Pressure:
    """What follows: `hold` says why nothing starts, `victim` is to be stopped, `warning` is for somebody to see."""

    hold: str | None = None
    victim: MemoryUse | None = None
    warning: str | None = None


def judge(used_percent: float, runs: Sequence[MemoryUse]) -> Pressure:
    """Decide by the percent of memory that is in use, and by what each run holds of it."""
    if used_percent < HOLD_PERCENT:
        return Pressure()
    hold = f"{used_percent:.0f} % of the machine's memory is in use, the limit for new starts is {HOLD_PERCENT:.0f} %"
    if used_percent < STOP_PERCENT:
        return Pressure(hold)
    victim = max((run for run in runs if run.over > 0), key=lambda run: run.over, default=None)
    if victim is not None:
        return Pressure(hold, victim)
    warning = (
        f"{used_percent:.0f} % of the machine's memory is in use, and no run is over what it declared: "
        "nothing is stopped, and nothing new starts; other programs, or too large declarations, take it"
    )
    return Pressure(hold, warning=warning)


class MemoryGuard:
    """Carries out what follows on one node, this one if none is given, one run at a time."""

    def __init__(self, node: OtherNode | None = None) -> None:
        self._node = node
        self._stopping: ActiveRun | None = None
        self._stopped_at = 0.0

    async def look(self, yard: Yard, look: NodeLook) -> str | None:
        """Stop a run where that has to be, or warn where none is to blame; return why nothing may start, if so."""
        percent = look.use.memory_used_percent
        runs = await self._measured(look) if percent >= STOP_PERCENT else []
        pressure = judge(percent, [run for run in runs if yard.active.get(run.attempt.run_id) is run.attempt])
        place = self._node or yard
        if pressure.warning and not place.memory_warning:
            log.warning("%s", pressure.warning)
        place.memory_warning = pressure.warning
        if pressure.victim and not self._is_waiting(yard, look.monotonic):
            self._stopping, self._stopped_at = pressure.victim.attempt, look.monotonic
            await _stop(yard, pressure.victim, percent)
        return pressure.hold

    def _is_waiting(self, yard: Yard, now: float) -> bool:
        last = self._stopping
        is_active = last is not None and yard.active.get(last.run_id) is last
        return is_active and now - self._stopped_at < PATIENCE_SECONDS

    async def _measured(self, look: NodeLook) -> list[MemoryUse]:
        """Return what each run holds that seems to be over: those are measured exactly."""
        seem_over: dict[AttemptKey, RunLook] = {
            run.attempt.key: run
            for run in look.runs
            if run.usage.memory > _declared(run.attempt) and not run.attempt.cancel
        }
        if self._node is None:
            held = await asyncio.to_thread(_exactly, seem_over)
        else:
            least = {key: _declared(run.attempt) for key, run in seem_over.items()}
            try:
                held = await self._node.line.ask("near_memory", least)
            except UnavailableError:
                return []  # It is looked at again.
        return [
            MemoryUse(seem_over[key].attempt, used, _declared(seem_over[key].attempt))
            for key, used in held.items()
        ]


def _declared(attempt: ActiveRun) -> int:
    return attempt.spec.request.memory_bytes if attempt.spec else 0


def _exactly(runs: Mapping[AttemptKey, RunLook]) -> dict[AttemptKey, int]:
    return {key: own_memory(run.usage, run.pids) for key, run in runs.items()}


async def _stop(yard: Yard, victim: MemoryUse, percent: float) -> None:
    words = (
        f"used {format_size(victim.used)}, declared {format_size(victim.declared)}, "
        f"while {percent:.0f} % of the machine's memory was in use; stopped to save the others"
    )
    log.warning("run %s %s", victim.attempt.run_id, words)
    await stop_run(yard, victim.attempt, Reason.MEMORY_LIMIT, words, ended_by="memory", grace_seconds=0.0)
