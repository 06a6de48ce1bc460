"""Look: what was measured of a node, as the manager goes by it: each measure with the attempt that it is of."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from runyard_actors.manager.active import ActiveRun
from runyard_actors.measure import NodeMeasure, RunUsage, Watched
from runyard_actors.run import AttemptKey
from runyard_actors.timeline import Limits
from runyard_cluster.capacity import Use
from runyard_cluster.gpu_processes import GpuLook


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
    """The node at one moment: `at` in seconds since the epoch, `monotonic` for what lasts, both of our own clocks.

    `others_busy_percent` is what programs that are no runs use of the CPU; `warnings` are those of the GPUs.
    """

    at: float
    monotonic: float
    others_busy_percent: float
    use: Use
    gpus: GpuLook
    runs: tuple[RunLook, ...]
    warnings: tuple[str, ...] = ()


def look_of(measure: NodeMeasure, attempts: Iterable[ActiveRun]) -> NodeLook:
    """Return what was measured just now, of those attempts that run; their peaks are noted."""
    active: dict[AttemptKey, ActiveRun] = {each.key: each for each in attempts if each.is_started}
    measured = [run for run in measure.runs if run.key in active]
    for run in measured:
        active[run.key].peak_gpu_memory = measure.gpu_peaks.get(run.key)
    return NodeLook(
        at=time.time(),
        monotonic=time.monotonic(),
        others_busy_percent=measure.others_busy_percent,
        use=measure.use,
        gpus=measure.gpus,
        warnings=measure.warnings,
        runs=tuple(
            RunLook(
                attempt=active[run.key],
                usage=run.usage,
                cpu_seconds=run.cpu_seconds,
                gpu_memory_on=run.gpu_memory_on,
                pids=run.pids,
            )
            for run in measured
        ),
    )


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
