"""Measure: what each run's tree uses right now, from one look at all processes and all GPUs of its node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runyard_actors.run import AttemptKey
from runyard_actors.timeline import Limits
from runyard_cluster import process
from runyard_cluster.capacity import Use
from runyard_cluster.gpu_processes import GpuLook, GpuProcess
from runyard_cluster.trees import ProcessRow, TreeUse, tree_uses


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """An attempt that is measured: its supervisor's pid, its GPUs, what it declared, and where its use is recorded."""

    key: AttemptKey
    shim_pid: int
    gpu_indexes: tuple[int, ...]
    limits: Limits
    usage_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUsage:
    """One run's use: percent of one CPU since the last look, bytes resident in its whole tree.

    `gpu_memory` in bytes on all its GPUs, `gpu_percent` of one GPU's time; None where the driver does not tell.
    `last_line` is what the run printed last, for people.
    """

    run_id: str
    cpu_percent: float
    memory: int
    gpu_memory: int | None = None
    gpu_percent: float | None = None
    last_line: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMeasure:
    """What one look showed of an attempt: its use, its CPU seconds so far, and its memory on each GPU by index."""

    key: AttemptKey
    usage: RunUsage
    cpu_seconds: float
    gpu_memory_on: Mapping[int, int] = field(default_factory=dict)
    pids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeMeasure:
    """A node at one moment: what all programs use, its GPUs, and each attempt whose process runs.

    `others_busy_percent` is what programs that are no runs use of the CPU, `gpu_peaks` the most GPU memory that each
    attempt was seen to hold, in bytes; `warnings` are those of the GPUs.
    """

    others_busy_percent: float
    use: Use
    gpus: GpuLook
    runs: tuple[RunMeasure, ...]
    gpu_peaks: Mapping[AttemptKey, int]
    warnings: tuple[str, ...] = ()


def own_memory(usage: RunUsage, pids: Iterable[int]) -> int:
    """Return the bytes that a run's processes hold for themselves.

    Resident pages may be shared, and count for each process then. This figure is exact, and dear.
    """
    return min(usage.memory, process.tree_anonymous_bytes(pids))


class UsageMeter:
    """Measures between two looks; a run's first look shows no CPU use."""

    def __init__(self) -> None:
        self._last: dict[AttemptKey, tuple[float, float]] = {}

    def measure(
        self, runs: Sequence[Watched], rows: Iterable[ProcessRow], gpus: GpuLook, now: float
    ) -> list[RunMeasure]:
        """Return the use of every run, in their order; `now` is a monotonic clock's, in seconds."""
        before, self._last = self._last, {}
        trees = tree_uses({run.shim_pid for run in runs}, rows)
        by_pid: dict[int, list[GpuProcess]] = {}
        for each in gpus.processes:
            by_pid.setdefault(each.pid, []).append(each)
        found = []
        for run in runs:
            tree = trees[run.shim_pid]
            on_gpus = [p for pid in tree.pids & by_pid.keys() for p in by_pid[pid]]
            percent = self._cpu_percent(run.key, tree.cpu_seconds, now, before)
            found.append(_measured(run, tree, percent, on_gpus, gpus))
        return found

    def _cpu_percent(
        self, key: AttemptKey, seconds: float, now: float, before: Mapping[AttemptKey, tuple[float, float]]
    ) -> float:
        self._last[key] = (now, seconds)
        then, spent = before.get(key, (now, seconds))
        return 100.0 * max(0.0, seconds - spent) / (now - then) if now > then else 0.0


def _measured(
    run: Watched, tree: TreeUse, cpu_percent: float, on_gpus: Sequence[GpuProcess], gpus: GpuLook
) -> RunMeasure:
    held: dict[int, int] = {}
    for each in on_gpus:
        held[each.gpu] = held.get(each.gpu, 0) + (each.memory or 0)
    is_seen = bool(gpus.gpus) and not gpus.blind & {*run.gpu_indexes, *held}
    percents = [each.percent for each in on_gpus]
    is_timed = is_seen and None not in percents
    return RunMeasure(
        key=run.key,
        usage=RunUsage(
            run_id=run.key[0],
            cpu_percent=round(cpu_percent, 1),
            memory=tree.memory,
            gpu_memory=sum(held.values()) if is_seen else None,
            gpu_percent=round(sum(p for p in percents if p is not None), 1) if is_timed else None,
        ),
        cpu_seconds=tree.cpu_seconds,
        gpu_memory_on=held if is_seen else {},
        pids=tree.pids,
    )
