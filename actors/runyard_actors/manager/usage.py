"""Usage: what each active run's tree uses right now, from one look at all processes and all GPUs of the node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runyard_actors.manager.active import ActiveRun
from runyard_actors.run import RunId
from runyard_cluster.gpu_processes import GpuLook, GpuProcess
from runyard_cluster.trees import ProcessRow, TreeUse, tree_uses


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUsage:
    """One run's use: percent of one CPU since the last look, bytes resident in its whole tree.

    `gpu_memory` in bytes on all its GPUs, `gpu_percent` of one GPU's time; None where the driver does not tell.
    `last_line` is what the run printed last, for people.
    """

    run_id: RunId
    cpu_percent: float
    memory: int
    gpu_memory: int | None = None
    gpu_percent: float | None = None
    last_line: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLook:
    """What one look showed of an attempt: its use, its CPU seconds so far, and its memory on each GPU by index."""

    attempt: ActiveRun
    usage: RunUsage
    cpu_seconds: float
    gpu_memory_on: Mapping[int, int] = field(default_factory=dict)
    pids: frozenset[int] = frozenset()


class UsageMeter:
    """Measures between two looks; a run's first look shows no CPU use."""

    def __init__(self) -> None:
        self._last: dict[tuple[RunId, int], tuple[float, float]] = {}

    def measure(
        self, attempts: Sequence[ActiveRun], rows: Iterable[ProcessRow], gpus: GpuLook, now: float
    ) -> list[RunLook]:
        """Return the use of every run that has started; `now` is a monotonic clock's, in seconds."""
        before, self._last = self._last, {}
        pid_of = {a.run_id: a.started.shim_pid for a in attempts if a.started}
        trees = tree_uses(set(pid_of.values()), rows)
        by_pid: dict[int, list[GpuProcess]] = {}
        for each in gpus.processes:
            by_pid.setdefault(each.pid, []).append(each)
        found = []
        for attempt in attempts:
            if attempt.run_id in pid_of:
                tree = trees[pid_of[attempt.run_id]]
                on_gpus = [p for pid in tree.pids & by_pid.keys() for p in by_pid[pid]]
                percent = self._cpu_percent((attempt.run_id, attempt.attempt), tree.cpu_seconds, now, before)
                found.append(_look(attempt, tree, percent, on_gpus, gpus))
        return found

    def _cpu_percent(
        self,
        key: tuple[RunId, int],
        seconds: float,
        now: float,
        before: Mapping[tuple[RunId, int], tuple[float, float]],
    ) -> float:
        self._last[key] = (now, seconds)
        then, spent = before.get(key, (now, seconds))
        return 100.0 * max(0.0, seconds - spent) / (now - then) if now > then else 0.0


def _look(
    attempt: ActiveRun, tree: TreeUse, cpu_percent: float, on_gpus: Sequence[GpuProcess], gpus: GpuLook
) -> RunLook:
    held: dict[int, int] = {}
    for each in on_gpus:
        held[each.gpu] = held.get(each.gpu, 0) + (each.memory or 0)
    is_seen = bool(gpus.gpus) and not gpus.blind & {*attempt.placement.gpu_indexes, *held}
    percents = [each.percent for each in on_gpus]
    is_timed = is_seen and None not in percents
    return RunLook(
        attempt=attempt,
        usage=RunUsage(
            run_id=attempt.run_id,
            cpu_percent=round(cpu_percent, 1),
            memory=tree.memory,
            gpu_memory=sum(held.values()) if is_seen else None,
            gpu_percent=round(sum(p for p in percents if p is not None), 1) if is_timed else None,
        ),
        cpu_seconds=tree.cpu_seconds,
        gpu_memory_on=held if is_seen else {},
        pids=tree.pids,
    )
