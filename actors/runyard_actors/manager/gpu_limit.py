"""GPU memory limits: who comes near its own, who has passed it, and stopping exactly that one.

No system enforces them: CUDA gives each process what it asks for, so a run that takes too much is found by looking.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.look import NodeLook, RunLook
from runyard_actors.manager.stop_run import stop_run
from runyard_actors.manager.yard import Yard
from runyard_actors.run import Reason, RunId
from runyard_actors.store.changes import Change, EnforcementFound, RunWarned
from runyard_cluster.sizes import format_size

#: From this share of its limit on, a run is warned.
WARN_SHARE = 0.9
#: Looks in a row that must find a run over its limit; one alone may fall between a free and the next allocation.
CONFIRMING_LOOKS = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be told of an attempt, and whether it has to be stopped."""

    attempt: ActiveRun
    is_over: bool
    words: str


class GpuMemoryJudge:
    """Judges each look by the looks before it. A limit holds for each single GPU, as it was asked for."""

    def __init__(self) -> None:
        self._over: dict[tuple[RunId, int], int] = {}
        self._warned: set[tuple[RunId, int]] = set()

    def judge(self, runs: Sequence[RunLook]) -> list[Verdict]:
        """Return what follows for each run that declared GPU memory; a warning only once an attempt."""
        over_before, self._over = self._over, {}
        warned_before, self._warned = self._warned, set()
        verdicts = []
        for run in runs:
            key, limit = (run.attempt.run_id, run.attempt.attempt), _limit(run.attempt)
            used = max(run.gpu_memory_on.values(), default=0)
            if key in warned_before:
                self._warned.add(key)
            if not limit or used < WARN_SHARE * limit:
                continue
            if used > limit:
                self._over[key] = over_before.get(key, 0) + 1
            if self._over.get(key, 0) >= CONFIRMING_LOOKS:
                words = f"used {format_size(used)} of GPU memory, limit {format_size(limit)}; stopped"
                verdicts.append(Verdict(run.attempt, True, words))
            elif key not in self._warned:
                self._warned.add(key)
                words = f"uses {format_size(used)} of GPU memory, limit {format_size(limit)}"
                verdicts.append(Verdict(run.attempt, False, words))
        return verdicts


def enforcement(attempt: ActiveRun, look: NodeLook | None) -> dict[str, str]:
    """Say how a run's GPU memory limit is held: "poll", or "advisory" where nobody tells what processes use."""
    if not _limit(attempt):
        return {}
    gpus = look.gpus if look else None
    seen = {gpu.index for gpu in gpus.gpus} - gpus.blind if gpus else set()
    return {"gpu_memory": "poll" if seen.issuperset(attempt.placement.gpu_indexes) else "advisory"}


async def hold_gpu_limits(yard: Yard, judge: GpuMemoryJudge, look: NodeLook) -> None:
    """Warn and stop runs by their GPU memory, and tell where that turns out to be impossible, or possible."""
    changes: list[Change] = []
    for run in look.runs:
        how = enforcement(run.attempt, look)
        if how != run.attempt.gpu_enforcement and not look.gpus.lost.keys() & {
            *run.attempt.placement.gpu_indexes
        }:
            run.attempt.gpu_enforcement = how
            changes.append(EnforcementFound(run_id=run.attempt.run_id, enforcement=how))
    for verdict in judge.judge(look.runs):
        attempt = verdict.attempt
        if yard.active.get(attempt.run_id) is not attempt or attempt.cancel:
            continue
        if verdict.is_over:
            # At once, since its neighbours on the GPU are short of what it took.
            reason, by = Reason.GPU_MEMORY_LIMIT, "gpu_memory"
            await stop_run(yard, attempt, reason, verdict.words, ended_by=by, grace_seconds=0.0)
        else:
            now = time.time_ns() // 1000
            changes.append(RunWarned(run_id=attempt.run_id, words=verdict.words, at=now))
    await yard.write_if_possible(changes)


def _limit(attempt: ActiveRun) -> int:
    return attempt.spec.request.gpu_memory_bytes if attempt.spec else 0
