"""Look: everything that is measured on the node, once, for everybody: processes, memory, GPUs, each active run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runyard_actors.manager.active import ActiveRun
from runyard_actors.measure import RunMeasure, RunUsage, UsageMeter, Watched
from runyard_actors.timeline import Limits
from runyard_cluster.capacity import Use, read_use
from runyard_cluster.cgroup import Cgroup
from runyard_cluster.cpu_watch import CpuWatch
from runyard_cluster.gpu_processes import GpuLook, GpuMeter
from runyard_cluster.trees import ProcessRow, process_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLook:
    """What one look showed of an active attempt; the fields are those of `RunMeasure`."""

    attempt: ActiveRun
    usage: RunUsage
    cpu_seconds: float
    gpu_memory_on: Mapping[int, int] = field(default_factory=dict)
    pids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLook:
    """The node at one moment: `at` in seconds since the epoch, `monotonic` for what lasts.

    `others_busy_percent` is what programs that are no runs use of the CPU; `warnings` are those of the GPUs.
    """

    at: float
    monotonic: float
    others_busy_percent: float
    use: Use
    gpus: GpuLook
    runs: tuple[RunLook, ...]
    warnings: tuple[str, ...] = ()


class NodeMeter:
    """Looks at the node again and again. The processes are gone through at most once a look, and only if needed."""

    def __init__(
        self,
        *,
        cpu_threshold: float,
        has_gpus: bool,
        cgroup: Cgroup = Cgroup(),  # noqa: B008 - frozen
        gpus: GpuMeter | None = None,
    ) -> None:
        """Above `cpu_threshold` percent it is found out who uses the CPU. Without GPUs, NVML is asked once."""
        self._cpu = CpuWatch(cpu_threshold, processes=self._processes)
        self._runs = UsageMeter()
        self._gpus = gpus or GpuMeter()
        self._has_gpus = has_gpus
        self._last_gpus: GpuLook | None = None
        self._cgroup = cgroup
        self._rows: list[ProcessRow] | None = None

    def look(self, attempts: Sequence[ActiveRun], *, spawners: Sequence[int] = ()) -> NodeLook:
        """Return how everything stands now; `spawners` start our runs' supervisors."""
        self._rows = None
        started = [a for a in attempts if a.started]
        # Our runs' supervisors, and Ray's node process with all its workers: their use is no reason to wait.
        own = {
            os.getppid(),
            *spawners,
            *(a.started.shim_pid for a in started if a.started),
        }
        busy = self._cpu.sample(own)
        if self._has_gpus or self._last_gpus is None:
            self._last_gpus = self._gpus.look()
        now = time.monotonic()
        rows = self._processes() if started else []
        measures = self._runs.measure([watched(a) for a in started], rows, self._last_gpus, now)
        return NodeLook(
            at=time.time(),
            monotonic=now,
            others_busy_percent=busy,
            use=read_use(cgroup=self._cgroup),
            gpus=self._last_gpus,
            runs=run_looks(started, measures),
            # Nobody misses an NVML where there never were GPUs.
            warnings=() if self._gpus.is_absent and not self._has_gpus else self._gpus.warnings,
        )

    def _processes(self) -> list[ProcessRow]:
        if self._rows is None:
            self._rows = process_rows()
        return self._rows


def watched(attempt: ActiveRun) -> Watched:
    """Return how an attempt whose process runs is measured."""
    assert attempt.started is not None
    request = attempt.spec.request if attempt.spec else None
    return Watched(
        key=attempt.key,
        shim_pid=attempt.started.shim_pid,
        gpu_indexes=attempt.placement.gpu_indexes,
        limits=Limits(
            cpu_milli=request.cpu_milli,
            memory_bytes=request.memory_bytes,
            gpu_memory_bytes=request.gpu_memory_bytes,
        )
        if request
        else Limits(),
        usage_file=attempt.folder.usage_file,
    )


def run_looks(attempts: Iterable[ActiveRun], measures: Iterable[RunMeasure]) -> tuple[RunLook, ...]:
    """Return what was measured of those that are among the attempts."""
    active = {attempt.key: attempt for attempt in attempts}
    return tuple(
        RunLook(
            attempt=active[run.key],
            usage=run.usage,
            cpu_seconds=run.cpu_seconds,
            gpu_memory_on=run.gpu_memory_on,
            pids=run.pids,
        )
        for run in measures
        if run.key in active
    )
