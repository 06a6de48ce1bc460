"""Record usage: add what a look showed of each run to the file in its folder, and remember its peaks."""

from __future__ import annotations

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.look import NodeLook
from runyard_actors.run import RunId
from runyard_actors.timeline import Limits, Recorder, Sample


class UsageRecorders:
    """One recorder for each active attempt; those of ended ones are forgotten."""

    def __init__(self) -> None:
        self._recorders: dict[tuple[RunId, int], Recorder] = {}

    def record(self, look: NodeLook) -> None:
        """Add one sample to every run's file. A file that cannot be written, as on a full disk, lacks it."""
        before, self._recorders = self._recorders, {}
        for run in look.runs:
            key = (run.attempt.run_id, run.attempt.attempt)
            recorder = self._recorders[key] = before.get(key) or _recorder(run.attempt)
            usage = run.usage
            _note_peak(run.attempt, usage.gpu_memory)
            try:
                recorder.add(
                    Sample(
                        at=look.at,
                        cpu_percent=usage.cpu_percent,
                        memory=usage.memory,
                        gpu_memory=usage.gpu_memory,
                        gpu_percent=usage.gpu_percent,
                    )
                )
            except OSError:
                continue
            _note_peak(run.attempt, recorder.earlier_gpu_peak)


def _recorder(attempt: ActiveRun) -> Recorder:
    request = attempt.spec.request if attempt.spec else None
    limits = Limits()
    if request is not None:
        limits = Limits(
            cpu_milli=request.cpu_milli,
            memory_bytes=request.memory_bytes,
            gpu_memory_bytes=request.gpu_memory_bytes,
        )
    return Recorder(attempt.folder.usage_file, limits)


def _note_peak(attempt: ActiveRun, gpu_memory: int | None) -> None:
    if gpu_memory is not None:
        attempt.peak_gpu_memory = max(attempt.peak_gpu_memory or 0, gpu_memory)
