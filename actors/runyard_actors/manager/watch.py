"""Watch: once a second, what the machine's other programs use, and what active runs report of themselves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection

import psutil

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.ray_metrics import RayMetrics
from runyard_actors.manager.yard import Yard
from runyard_actors.store.changes import Change, ProgressReported
from runyard_actors.store.errors import StoreUnavailable
from runyard_cluster.cpu_watch import CpuWatch
from runyard_cluster.sizes import format_size

WATCH_SECONDS = 1.0


async def watch(yard: Yard) -> None:
    """Look once a second, for ever."""
    cpu = CpuWatch(threshold=float(yard.settings.cpu_busy_percent or 101))
    metrics = RayMetrics(yard)
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        busy = await asyncio.to_thread(cpu.sample, _own_processes(yard.active.values()))
        free = psutil.virtual_memory().available
        yard.set_guard(_cpu_words(yard, busy) or _memory_words(yard, free))
        await _take_reports(yard)
        await metrics.update()


def _own_processes(active: Collection[ActiveRun]) -> set[int]:
    """Our runs' supervisors, and Ray's node process with all its workers: their use is no reason to wait."""
    return {os.getppid(), *(a.started.shim_pid for a in active if a.started)}


def _cpu_words(yard: Yard, busy_percent: float) -> str | None:
    limit = yard.settings.cpu_busy_percent
    if not limit or busy_percent <= limit:
        return None
    return f"other programs keep the CPU {busy_percent:.0f} % busy, the limit is {limit} %"


def _memory_words(yard: Yard, free: int) -> str | None:
    reserve = yard.settings.reserve_memory
    if free >= reserve:
        return None
    return f"{format_size(free)} of memory are free and {format_size(reserve)} are kept for the system"


async def _take_reports(yard: Yard) -> None:
    started = [a for a in yard.active.values() if a.is_started]
    changes = await asyncio.to_thread(_new_reports, started)
    if changes:
        try:
            await yard.write(changes)
        except StoreUnavailable as error:
            yard.on_storage_fault(str(error))
            yard.spawn(yard.write_surely([]), "wait for the store")


def _new_reports(attempts: list[ActiveRun]) -> list[Change]:
    changes: list[Change] = []
    for attempt in attempts:
        mark = attempt.folder.report_mark()
        if mark == attempt.report_mark:
            continue
        attempt.report_mark = mark
        report = attempt.folder.report()
        changes.append(
            ProgressReported(
                run_id=attempt.run_id,
                progress=report.get("progress"),
                message=report.get("message"),
            )
        )
    return changes
