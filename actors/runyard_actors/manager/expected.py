"""Expected: when queued runs may start, worked out only when somebody asks, at most once in a few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite

from runyard_actors.learning.duration import seconds_left, usual_seconds
from runyard_actors.learning.past import PastRun
from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.messages import BatchEnd
from runyard_actors.manager.yard import Yard
from runyard_actors.run import BatchId, RunId
from runyard_actors.store.recent import Recent

#: How long an answer is given again, in seconds: people ask every second, and the future does not change as fast.
FRESH_SECONDS = 2.0


class Expectations:
    """What is expected of one yard's queue; moments are microseconds since the epoch."""

    def __init__(self, yard: Yard) -> None:
        self._yard = yard
        self._recent = Recent(yard.reader)
        self._gate = asyncio.Lock()
        self._worked_out_at = -FRESH_SECONDS
        self._starts: Mapping[RunId, int] = {}
        self._ends: Mapping[BatchId, BatchEnd] = {}

    async def starts(self, run_ids: Sequence[RunId]) -> dict[str, int]:
        """Return when each of the runs may start, of those that it can be told of."""
        await self._work_out()
        return {run_id: self._starts[run_id] for run_id in run_ids if run_id in self._starts}

    async def batch_end(self, batch_id: BatchId) -> BatchEnd | None:
        """Return when the runs of a batch that it can be told of may have ended."""
        await self._work_out()
        return self._ends.get(batch_id)

    async def _work_out(self) -> None:
        async with self._gate:
            if time.monotonic() - self._worked_out_at < FRESH_SECONDS:
                return
            modules = {run.module_id for run in self._yard.core.first_queued()}
            modules |= {a.spec.module_id for a in self._yard.active.values() if a.spec}
            past = await asyncio.to_thread(lambda: {m: self._recent.runs(m) for m in modules})
            # From here on nothing is awaited: queue and active runs are those of one moment.
            self._starts, self._ends = self._of_now(past)
            self._worked_out_at = time.monotonic()

    def _of_now(
        self, past: Mapping[str, Sequence[PastRun]]
    ) -> tuple[Mapping[RunId, int], Mapping[BatchId, BatchEnd]]:
        core, active = self._yard.core, self._yard.active.values()
        if core.is_paused or core.held or self._yard.storage_fault:
            return {}, {}  # Nobody knows for how long.
        now = time.time_ns() // 1000
        usual = {module_id: usual_seconds(runs) for module_id, runs in past.items()}
        told = core.expected_starts(usual, {a.run_id: _elapsed(a, now) for a in active})
        starts = {run_id: at for run_id, at in told.items() if at is not None and isfinite(at)}
        ends = [(a.batch_id, _left(a, past, now)) for a in active]
        for run in core.first_queued():
            start, takes = starts.get(run.run_id), usual.get(run.module_id)
            ends.append((run.batch_id, None if start is None or takes is None else start + takes))
        return {run_id: _after(now, at) for run_id, at in starts.items()}, _batch_ends(now, ends)


def _elapsed(attempt: ActiveRun, now: int) -> float:
    """Return how long a run went on so far, in seconds. A suspended one never ends, as far as anybody knows."""
    if attempt.is_suspended:
        return -inf
    return max(0, now - attempt.started.started_at) / 1_000_000 if attempt.started else 0.0


def _left(attempt: ActiveRun, past: Mapping[str, Sequence[PastRun]], now: int) -> float | None:
    if attempt.spec is None or attempt.is_suspended:
        return None
    return seconds_left(past.get(attempt.spec.module_id, ()), _elapsed(attempt, now))


def _batch_ends(now: int, ends: Iterable[tuple[BatchId | None, float | None]]) -> Mapping[BatchId, BatchEnd]:
    latest: dict[BatchId, BatchEnd] = {}
    for batch_id, seconds in ends:
        if batch_id is not None and seconds is not None:
            before = latest.get(batch_id, BatchEnd(at=now, runs=0))
            latest[batch_id] = BatchEnd(at=max(before.at, _after(now, seconds)), runs=before.runs + 1)
    return latest


def _after(now: int, seconds: float) -> int:
    return now + round(seconds * 1_000_000)
