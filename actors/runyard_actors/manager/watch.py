"""Watch: once a second, look at the whole node, and let everybody who lives by it do what follows."""

from __future__ import annotations

import asyncio
import time

from runyard_actors.manager import suspend
from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.full_disk import DiskWatch, tell_full_disk
from runyard_actors.manager.gpu_limit import GpuMemoryJudge, hold_gpu_limits
from runyard_actors.manager.gpu_lost import take_lost_gpus
from runyard_actors.manager.guard import busy_from, guard_words
from runyard_actors.manager.look import NodeLook, look_of, watched
from runyard_actors.manager.near_memory import MemoryWatch, tell_near_memory
from runyard_actors.manager.near_timeout import TimeoutWatch, tell_near_timeouts
from runyard_actors.manager.pressure import MemoryGuard
from runyard_actors.manager.ray_metrics import RayMetrics
from runyard_actors.manager.stall import StallWatch, hold_stalls
from runyard_actors.manager.truly_free import tell_truly_free
from runyard_actors.manager.unresponsive import SupervisorWatch
from runyard_actors.manager.yard import Yard, log
from runyard_actors.node_meter import NodeMeter
from runyard_actors.steps import Steps
from runyard_actors.store.changes import Change, ProgressReported
from runyard_cluster import ray_monitor

WATCH_SECONDS = 1.0


async def watch(yard: Yard, meter: NodeMeter | None = None) -> None:
    """Look once a second, for ever; `meter` is that of this node if left out."""
    node = NodeWatch(yard, meter)
    await node.steps.do("asking for Ray's memory monitor", node.note_ray_monitor())
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        await node.beat()


class NodeWatch:
    """All that lives by looking at the node: each does its part at every beat, whatever happens to the others."""

    def __init__(self, yard: Yard, meter: NodeMeter | None = None) -> None:
        self.steps = Steps()
        self._yard = yard
        self._meter = meter or NodeMeter(has_gpus=bool(yard.capacity.gpus))
        self._gpu_judge = GpuMemoryJudge()
        self._memory = MemoryGuard()
        self._stalls = StallWatch()
        self._timeouts = TimeoutWatch()
        self._memories = MemoryWatch()
        self._supervisors = SupervisorWatch()
        self._disk = DiskWatch()
        self._metrics = RayMetrics(yard)

    async def beat(self) -> None:
        """Look, and do all that follows."""
        yard, do = self._yard, self.steps.do
        looking = asyncio.to_thread(_look, yard, self._meter, yard.active_here())
        look = await do("looking at the node", looking)
        if look is not None:
            yard.look = look
            await do("guarding memory and CPU", self._guard(look))
            await do("looking for lost GPUs", take_lost_gpus(yard, look.gpus))
            await do("holding limits of GPU memory", hold_gpu_limits(yard, self._gpu_judge, look))
            await do("holding stalls", hold_stalls(yard, self._stalls, look))
            await do("telling of memory", tell_near_memory(yard, self._memories, look))
        await do("telling of timeouts", tell_near_timeouts(yard, self._timeouts))
        await do("looking after supervisors", self._supervisors.look(yard, time.monotonic()))
        await do("looking at the disk with the logs", tell_full_disk(yard, self._disk))
        await do("taking reports", _take_reports(yard))
        await do("looking after readers", asyncio.to_thread(yard.reader.cut_off))
        await self._metrics.update()

    async def note_ray_monitor(self) -> None:
        """Warn if a Ray that is not ours ends leases by itself when memory is short."""
        if self._yard.settings.ray_address == "local":
            return
        self._yard.ray_warning = await asyncio.to_thread(ray_monitor.warning)
        if self._yard.ray_warning:
            log.warning("%s", self._yard.ray_warning)

    async def _guard(self, look: NodeLook) -> None:
        yard = self._yard
        pressure = await self._memory.look(yard, look)
        yard.set_guard(pressure or guard_words(yard.settings, look))
        tell_truly_free(yard, yard.capacity, look)


def _look(yard: Yard, meter: NodeMeter, active: list[ActiveRun]) -> NodeLook:
    runs = [watched(attempt) for attempt in active if attempt.started]
    measure = meter.look(runs, spawners=yard.agent.spawner_pids, busy_from=busy_from(yard.settings))
    return look_of(measure, active)


async def _take_reports(yard: Yard) -> None:
    # What others report is brought here with their logs.
    started = [a for a in yard.active.values() if a.is_started]
    changes = await asyncio.to_thread(_new_reports, started)
    await yard.write_if_possible(changes)
    await suspend.follow(yard, started)


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
