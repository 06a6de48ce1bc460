"""Facts about what is watched here: the machine's memory, GPUs and what processes use of them, Ray's own monitor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runyard.cli.fact import Fact
from runyard_actors.manager.pressure import HOLD_PERCENT, STOP_PERCENT
from runyard_cluster import ray_monitor
from runyard_cluster.capacity import read_use
from runyard_cluster.errors import RunyardError
from runyard_cluster.gpu import GpuReader
from runyard_cluster.gpu_processes import GpuLook, GpuMeter
from runyard_cluster.settings import load_settings
from runyard_cluster.sizes import format_size


def machine_memory(used_percent: float | None = None) -> Fact:
    """Say how full the machine's memory is, and what is done near its end."""
    used = read_use().memory_used_percent if used_percent is None else used_percent
    words = (
        f"{used:.0f} % in use; at {HOLD_PERCENT:.0f} % nothing new starts, "
        f"at {STOP_PERCENT:.0f} % the run furthest over its declaration is stopped"
    )
    if used < HOLD_PERCENT:
        return Fact("machine's memory", "good", words)
    return Fact("machine's memory", "limited", f"{words}; close other programs, or let runs end")


def stalls() -> Fact:
    """Say that runs without a sign of life are found, and how that is asked for."""
    words = "output, CPU and GPU use are looked at each second for runs with `stall_after`; `on_stall` says the rest"
    return Fact("stalls", "good", words)


def gpus(meter: GpuMeter | None = None) -> Iterator[Fact]:
    """Say of each GPU how gpu_memory is held on it. A machine without GPUs misses nothing, so that is good as well."""
    meter = meter or GpuMeter(GpuReader())
    look = meter.look()
    for gpu in look.gpus:
        words = f"{gpu.name}, {format_size(gpu.memory_bytes)}, by NVML"
        yield Fact(f"GPU {gpu.index}", "good", words)
        yield _gpu_memory(gpu.index, look)
    if meter.is_absent:
        why = "; ".join(words.removeprefix("no GPU is used: ") for words in meter.warnings)
        yield Fact("GPU", "good", f"none used: {why}; once there is one, `nvidia-smi` lists it")
    else:
        yield from (Fact("GPU", "limited", words) for words in meter.warnings)
        if not look.gpus and not meter.warnings:
            yield Fact("GPU", "good", "none here")


def _gpu_memory(index: int, look: GpuLook) -> Fact:
    subject = f"gpu_memory on GPU {index}"
    if index in look.blind:
        return Fact(
            subject,
            "limited",
            "advisory: counted when runs start, not enforced, since the driver does not tell what each process uses; "
            f"under Windows `nvidia-smi -i {index} -dm TCC` changes that for cards that can",
        )
    return Fact(subject, "good", "each process is watched through NVML; a run over it is stopped within 2 s")


def ray_memory_monitor(config: Path | None) -> Fact:
    """Say whether a Ray that runs here kills by itself when memory is short."""
    try:
        address = load_settings(config).ray_address
    except RunyardError:
        address = "local"  # That settings cannot be read is a fact of its own.
    if address == "local":
        return Fact("Ray's memory monitor", "good", "off in the Ray that the server starts")
    words = ray_monitor.warning()
    if words is None:
        return Fact("Ray's memory monitor", "good", f"off in the Ray that runs here, which {address!r} joins")
    return Fact("Ray's memory monitor", "limited", words)
