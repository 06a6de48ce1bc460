"""What this machine has for runs, and what is used of it right now."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass

import psutil

from runyard_cluster.cgroup import Cgroup
from runyard_cluster.cpu_meter import CpuMeter
from runyard_cluster.gpu import Gpu, GpuReader, visible_gpus

#: Memory that is always offered, however much is reserved: less would run nothing at all.
LEAST_MEMORY = 256 * 2**20
MIB = 2**20

#: What a run gets that does not say what it needs, on a machine that is large enough.
AUTO_CPU_MILLI = 2_000
AUTO_MEMORY = 4 * 2**30
#: And at the least, however many slots there are: with less memory no interpreter starts.
_SMALLEST_CPU_MILLI = 10
_SMALLEST_MEMORY = 16 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a node offers to runs. `memory_bytes` is what remains after the reserve, `labels` are Ray's of the node."""

    node: str
    cpu_milli: int
    memory_bytes: int
    gpus: tuple[Gpu, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What all programs together use of a machine right now.

    `memory_used_percent` is that of the machine, or of the container or slice we are in where that is fuller.
    """

    cpu_busy_percent: float
    memory_free_bytes: int
    memory_used_percent: float = 0.0


_gpus = GpuReader()
_cpu = CpuMeter()


def read_capacity(reserve_memory: int, *, cgroup: Cgroup = Cgroup()) -> Capacity:  # noqa: B008 - frozen
    """Return what this machine offers, within the limits of the container or slice that we are in."""
    total = psutil.virtual_memory().total
    limit = cgroup.memory_limit()
    memory = total if limit is None else min(total, limit)
    return Capacity(
        node=platform.node() or "localhost",
        cpu_milli=_cpu_milli(cgroup),
        memory_bytes=max(LEAST_MEMORY, memory - reserve_memory),
        gpus=_our_gpus(),
    )


def read_use(*, cgroup: Cgroup = Cgroup()) -> Use:  # noqa: B008 - frozen
    """Return what is used now, the CPU of late: in percent of the whole machine. GPUs: see `GpuMeter`."""
    memory = psutil.virtual_memory()
    pairs = [(memory.available, memory.total), *cgroup.memory_free_of_limits()]
    return Use(
        cpu_busy_percent=_cpu.percent(),
        memory_free_bytes=min(free for free, _ in pairs),
        memory_used_percent=max(100.0 * (1 - free / total) for free, total in pairs if total),
    )


def gpu_warnings() -> tuple[str, ...]:
    """Return what is wrong with the GPUs, or with what reads them, as far as they were read."""
    return tuple(_gpus.warnings)


def busy_cpu_seconds() -> float:
    """Return the CPU seconds that all programs used since the machine started, on all cores together."""
    times = psutil.cpu_times()
    # The others are idle time, another machine's time, or parts of these: Linux counts guests as user, too.
    return float(sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq")))


def auto_request(capacity: Capacity, max_concurrent_runs: int) -> tuple[int, int]:
    """Return the thousandths of CPUs and the bytes of a run that says nothing: all slots must fit at once."""
    share = capacity.cpu_milli // max_concurrent_runs // 10 * 10
    memory = capacity.memory_bytes // max_concurrent_runs // MIB * MIB
    return (
        min(AUTO_CPU_MILLI, max(_SMALLEST_CPU_MILLI, share)),
        min(AUTO_MEMORY, max(_SMALLEST_MEMORY, memory)),
    )


def _our_gpus() -> tuple[Gpu, ...]:
    return visible_gpus(_gpus.read(), os.environ.get("CUDA_VISIBLE_DEVICES"))


def _cpu_milli(cgroup: Cgroup) -> int:
    milli = _usable_cores() * 1000
    quota = cgroup.cpu_limit_milli()
    return milli if quota is None else max(_SMALLEST_CPU_MILLI, min(milli, quota))


def _usable_cores() -> int:
    """Return the cores that this process may run on; macOS has no such restriction."""
    affinity = getattr(psutil.Process(), "cpu_affinity", None)
    try:
        return len(affinity()) if affinity else os.cpu_count() or 1
    except (psutil.Error, OSError):
        return os.cpu_count() or 1
