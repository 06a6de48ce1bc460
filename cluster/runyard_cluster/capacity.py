"""What this machine has for runs, and what is used of it right now."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil

from runyard_cluster.gpu import Gpu, GpuReader

#: Memory that is always offered, however much is reserved: less would run nothing at all.
LEAST_MEMORY = 256 * 2**20
MIB = 2**20

#: What a run gets that does not say what it needs, on a machine that is large enough.
AUTO_CPU_MILLI = 2_000
AUTO_MEMORY = 4 * 2**30
_SMALLEST_CPU_MILLI = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a node offers to runs. `memory_bytes` is what remains after the reserve."""

    node: str
    cpu_milli: int
    memory_bytes: int
    gpus: tuple[Gpu, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What all programs together use of a machine right now."""

    cpu_busy_percent: float
    memory_free_bytes: int
    gpus: tuple[Gpu, ...] = ()


_gpus = GpuReader()


def read_capacity(reserve_memory: int) -> Capacity:
    """Return what this machine offers, within the limits of the container it may be in."""
    memory = min(psutil.virtual_memory().total, _cgroup_memory_limit() or 2**63)
    return Capacity(
        node=platform.node() or "localhost",
        cpu_milli=_cpu_milli(),
        memory_bytes=max(LEAST_MEMORY, memory - reserve_memory),
        gpus=_gpus.read(),
    )


def read_use() -> Use:
    """Return what is used now; the CPU figure is since the last call, in percent of the whole machine."""
    return Use(
        cpu_busy_percent=psutil.cpu_percent(interval=None),
        memory_free_bytes=psutil.virtual_memory().available,
        gpus=_gpus.read(),
    )


def busy_cpu_seconds() -> float:
    """Return the CPU seconds that all programs used since the machine started, on all cores together."""
    times = psutil.cpu_times()
    # The others are idle time, another machine's time, or parts of these: Linux counts guests as user, too.
    return float(sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq")))


def auto_request(capacity: Capacity, max_concurrent_runs: int) -> tuple[int, int]:
    """Return the thousandths of CPUs and the bytes of a run that says nothing: all slots must fit at once."""
    share = capacity.cpu_milli // max_concurrent_runs // 10 * 10
    memory = capacity.memory_bytes // max_concurrent_runs // MIB * MIB
    return min(AUTO_CPU_MILLI, max(_SMALLEST_CPU_MILLI, share)), min(AUTO_MEMORY, memory)


def _cpu_milli() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota = _cgroup_cpu_quota()
    return cores * 1000 if quota is None else max(_SMALLEST_CPU_MILLI, min(cores * 1000, quota))


def _cgroup_cpu_quota() -> int | None:
    words = _read("/sys/fs/cgroup/cpu.max").split()
    if len(words) == 2 and words[0].isdecimal():
        return int(words[0]) * 1000 // int(words[1])
    quota, period = (
        _number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
        _number("/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
    )
    return quota * 1000 // period if quota and period else None


def _cgroup_memory_limit() -> int | None:
    return _number("/sys/fs/cgroup/memory.max") or _number("/sys/fs/cgroup/memory/memory.limit_in_bytes")


def _number(path: str) -> int | None:
    text = _read(path).strip()
    return int(text) if text.isdecimal() else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text("ascii")
    except (OSError, ValueError):
        return ""
