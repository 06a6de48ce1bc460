"""Record usage: add what a look showed of each run to the file in its folder, and remember its peaks."""

from __future__ import annotations

from collections.abc import Iterable

from runyard_actors.measure import RunUsage, Watched
from runyard_actors.run import AttemptKey
from runyard_actors.timeline import Recorder, Sample


class UsageRecorders:
    """One recorder for each active attempt; those of ended ones are forgotten."""

    def __init__(self) -> None:
        self._recorders: dict[AttemptKey, Recorder] = {}
        #: The most GPU memory that each attempt was seen to hold, in bytes; none of one that could not be seen.
        self.peaks: dict[AttemptKey, int] = {}

    def record(self, at: float, runs: Iterable[tuple[Watched, RunUsage]]) -> None:
        """Add one sample to every run's file. A file that cannot be written, as on a full disk, lacks it."""
        before, self._recorders = self._recorders, {}
        peaks, self.peaks = self.peaks, {}
        for run, usage in runs:
            recorder = self._recorders[run.key] = before.get(run.key) or Recorder(run.usage_file, run.limits)
            try:
                recorder.add(
                    Sample(
                        at=at,
                        cpu_percent=usage.cpu_percent,
                        memory=usage.memory,
                        gpu_memory=usage.gpu_memory,
                        gpu_percent=usage.gpu_percent,
                    )
                )
            except OSError:
                pass
            known = (peaks.get(run.key), usage.gpu_memory, recorder.earlier_gpu_peak)
            if (peak := max((each for each in known if each is not None), default=None)) is not None:
                self.peaks[run.key] = peak
