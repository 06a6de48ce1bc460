"""Watch there: what follows from what another node measures of itself and of the runs there, as it does here."""

from __future__ import annotations

import time
from collections.abc import Sequence

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.gpu_limit import GpuMemoryJudge, hold_gpu_limits
from runyard_actors.manager.gpu_lost import take_lost_gpus
from runyard_actors.manager.look import NodeLook, run_looks
from runyard_actors.manager.other_node import OtherNode
from runyard_actors.manager.stall import StallWatch, hold_stalls
from runyard_actors.manager.truly_free import tell_truly_free
from runyard_actors.manager.yard import Yard
from runyard_actors.nodes.messages import NodeMeasure
from runyard_cluster.errors import UnavailableError


class WatchThere:
    """All that lives by what one other node measures."""

    def __init__(self, yard: Yard, node: OtherNode) -> None:
        self._yard = yard
        self._node = node
        self._gpu_judge = GpuMemoryJudge()
        self._stalls = StallWatch()

    async def beat(self, attempts: Sequence[ActiveRun], limit_seconds: float) -> None:
        """Ask the node, and do all that follows for those attempts, which are this node's."""
        try:
            measure: NodeMeasure = await self._node.line.ask("measure", limit_seconds=limit_seconds)
        except UnavailableError:
            return  # What is shown is what it was, until the node is heard of again.
        self._node.use = measure.use
        look = self._node.look = _look(measure, attempts)
        for run in look.runs:
            run.attempt.peak_gpu_memory = measure.gpu_peaks.get(run.attempt.key)
        if self._node.capacity:
            tell_truly_free(self._yard, self._node.capacity, look)
        await take_lost_gpus(self._yard, look.gpus, self._node)
        await hold_gpu_limits(self._yard, self._gpu_judge, look)
        await hold_stalls(self._yard, self._stalls, look)


def _look(measure: NodeMeasure, attempts: Sequence[ActiveRun]) -> NodeLook:
    """Its clocks are ours: those of two machines do not agree."""
    return NodeLook(
        at=time.time(),
        monotonic=time.monotonic(),
        others_busy_percent=0.0,
        use=measure.use,
        gpus=measure.gpus,
        warnings=measure.warnings,
        runs=run_looks((a for a in attempts if a.is_started), measure.runs),
    )
