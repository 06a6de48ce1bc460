"""Node meter: everything that is measured on a node, once a look, for everybody: processes, memory, GPUs, each run."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from runyard_actors.measure import NodeMeasure, UsageMeter, Watched
from runyard_actors.record_usage import UsageRecorders
from runyard_cluster.capacity import read_use
from runyard_cluster.cgroup import Cgroup
from runyard_cluster.cpu_watch import CpuWatch
from runyard_cluster.gpu_processes import GpuLook, GpuMeter
from runyard_cluster.trees import ProcessRow, process_rows


class NodeMeter:
    """Looks again and again, and records what each run uses. Processes are gone through once a look, if needed."""

    def __init__(
        self,
        *,
        has_gpus: bool,
        cgroup: Cgroup = Cgroup(),  # noqa: B008 - frozen
        gpus: GpuMeter | None = None,
    ) -> None:
        """`gpus` is NVML's if left out; without GPUs, it is asked once."""
        self.has_gpus = has_gpus
        self._cpu = CpuWatch(0.0, processes=self._processes)
        self._runs = UsageMeter()
        self._recorders = UsageRecorders()
        self._gpus = gpus or GpuMeter()
        self._last_gpus: GpuLook | None = None
        self._cgroup = cgroup
        self._rows: list[ProcessRow] | None = None

    def look(self, runs: Sequence[Watched], *, spawners: Sequence[int], busy_from: float) -> NodeMeasure:
        """Return how everything stands now; `spawners` start our runs' supervisors.

        Where the CPU is more than `busy_from` percent busy, it is found out how much of that is other programs'.
        """
        self._rows = None
        # Our runs' supervisors, and Ray's node process with all its workers: their use is no reason to wait.
        self._cpu.threshold = busy_from
        busy = self._cpu.sample({os.getppid(), *spawners, *(run.shim_pid for run in runs)})
        if self.has_gpus or self._last_gpus is None:
            self._last_gpus = self._gpus.look()
        rows = self._processes() if runs else []
        measures = self._runs.measure(runs, rows, self._last_gpus, time.monotonic())
        self._recorders.record(time.time(), zip(runs, (measure.usage for measure in measures), strict=True))
        return NodeMeasure(
            others_busy_percent=busy,
            use=read_use(cgroup=self._cgroup),
            gpus=self._last_gpus,
            runs=tuple(measures),
            gpu_peaks=dict(self._recorders.peaks),
            # Nobody misses an NVML where there never were GPUs.
            warnings=() if self._gpus.is_absent and not self.has_gpus else self._gpus.warnings,
        )

    def _processes(self) -> list[ProcessRow]:
        if self._rows is None:
            self._rows = process_rows()
        return self._rows
