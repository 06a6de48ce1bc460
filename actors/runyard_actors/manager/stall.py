"""Stalls: runs that show no sign of life for as long as they said is too long: told, or stopped where they said so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.look import NodeLook, RunLook
from runyard_actors.manager.stop_run import stop_run
from runyard_actors.manager.yard import Yard
from runyard_actors.run import Reason, RunId
from runyard_actors.store.changes import Change, RunStalled
from runyard_cluster.durations import format_duration
from runyard_cluster.gpu_processes import GpuLook

#: A run that uses less than this share of one core shows no life by it: an idle interpreter wakes up now and then.
IDLE_SHARE = 0.01
#: Below so many seconds a share says little: CPU time is counted in hundredths of a second.
LEAST_SECONDS = 10.0
#: The same for a GPU, in percent of its time.
IDLE_GPU_PERCENT = 1.0

#: What a run wrote: bytes of its log, and what changes with each report.
Output = tuple[int, tuple[int, int]]


@dataclass(slots=True)
class _Quiet:
    """Since when a run is quiet, its CPU seconds and output then, and what was told last; None: not known."""

    since: float
    cpu_seconds: float
    output: Output
    is_told: bool | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A run is quiet for too long, for so many seconds; None: it shows life again."""

    attempt: ActiveRun
    quiet_seconds: float | None


class StallWatch:
    """Judges each look by the ones before it. What was before the first one it sees of a run does not count."""

    def __init__(self) -> None:
        self._quiet: dict[tuple[RunId, int], _Quiet] = {}

    def judge(self, look: NodeLook, outputs: Mapping[RunId, Output]) -> list[Verdict]:
        """Return what changed for those runs that are in `outputs`."""
        before, self._quiet = self._quiet, {}
        verdicts = []
        for run in look.runs:
            output = outputs.get(run.attempt.run_id)
            if output is None:
                continue
            key = (run.attempt.run_id, run.attempt.attempt)
            quiet = self._quiet[key] = before.get(key) or _Quiet(look.monotonic, run.cpu_seconds, output)
            if found := _judged(run, quiet, look, output):
                verdicts.append(found)
        return verdicts


def _judged(run: RunLook, quiet: _Quiet, look: NodeLook, output: Output) -> Verdict | None:
    elapsed = look.monotonic - quiet.since
    used = run.cpu_seconds - quiet.cpu_seconds
    is_computing = used > IDLE_SHARE * max(elapsed, LEAST_SECONDS)
    # Who is held still cannot show life, and its time does not pass.
    is_alive = is_computing or output != quiet.output or run.attempt.is_suspended
    if is_alive or _uses_gpu(run, look.gpus):
        was_told, quiet.is_told = quiet.is_told, False
        quiet.since, quiet.cpu_seconds, quiet.output = look.monotonic, run.cpu_seconds, output
        return None if was_told is False else Verdict(run.attempt, None)
    assert run.attempt.spec is not None
    if elapsed < run.attempt.spec.stall_after_seconds or quiet.is_told:
        return None
    quiet.is_told = True
    return Verdict(run.attempt, elapsed)


def _uses_gpu(run: RunLook, gpus: GpuLook) -> bool:
    """Where nobody tells what a run does on its GPU, it counts as busy as the GPU, and as busy if that isn't told."""
    percent = run.usage.gpu_percent
    if percent is not None:
        return percent >= IDLE_GPU_PERCENT
    busy = [gpus.busy_percent.get(index) for index in run.attempt.placement.gpu_indexes]
    return any(percent is None or percent >= IDLE_GPU_PERCENT for percent in busy)


async def hold_stalls(yard: Yard, stalls: StallWatch, look: NodeLook) -> None:
    """Tell of runs that are quiet for too long, and stop those that said so."""
    awake = (r.attempt for r in look.runs if not r.attempt.is_suspended)
    watched = [a for a in awake if a.spec and a.spec.stall_after_seconds]
    outputs = await asyncio.to_thread(_outputs, watched) if watched else {}
    changes: list[Change] = []
    for verdict in stalls.judge(look, outputs):
        attempt, seconds = verdict.attempt, verdict.quiet_seconds
        since = None if seconds is None else int((look.at - seconds) * 1e6)
        changes.append(RunStalled(run_id=attempt.run_id, since=since, at=time.time_ns() // 1000))
        if seconds is not None and attempt.spec and attempt.spec.on_stall == "stop" and not attempt.cancel:
            words = f"no output, no CPU and no GPU use for {format_duration(seconds)}; stopped"
            await stop_run(yard, attempt, Reason.STALLED, words, ended_by="stalled")
    await yard.write_if_possible(changes)


def _outputs(attempts: list[ActiveRun]) -> dict[RunId, Output]:
    return {a.run_id: (a.folder.log_size(), a.folder.report_mark()) for a in attempts}
