"""Watch there: what follows from what another node measures of itself and of the runs there, as it does here."""

from __future__ import annotations

from collections.abc import Sequence

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.gpu_limit import GpuMemoryJudge, hold_gpu_limits
from runyard_actors.manager.gpu_lost import take_lost_gpus
from runyard_actors.manager.guard import busy_from, guard_words
from runyard_actors.manager.look import NodeLook, look_of
from runyard_actors.manager.other_node import OtherNode
from runyard_actors.manager.pressure import MemoryGuard
from runyard_actors.manager.stall import StallWatch, hold_stalls
from runyard_actors.manager.truly_free import tell_truly_free
from runyard_actors.manager.yard import Yard
from runyard_actors.measure import NodeMeasure
from runyard_cluster.errors import UnavailableError


class WatchThere:
    """All that lives by what one other node measures."""

    def __init__(self, yard: Yard, node: OtherNode) -> None:
        self._yard = yard
        self._node = node
        self._gpu_judge = GpuMemoryJudge()
        self._stalls = StallWatch()
        self._memory = MemoryGuard(node)

    async def beat(self, attempts: Sequence[ActiveRun], limit_seconds: float) -> None:
        """Ask the node, and do all that follows for those attempts, which are this node's."""
        yard, node = self._yard, self._node
        try:
            measure: NodeMeasure = await node.line.ask(
                "measure", busy_from(yard.settings), limit_seconds=limit_seconds
            )
        except UnavailableError:
            return  # What is shown is what it was, until the node is heard of again.
        node.use = measure.use
        look = node.look = look_of(measure, attempts)
        await self._guard(look)
        if node.capacity:
            tell_truly_free(yard, node.capacity, look)
        await take_lost_gpus(yard, look.gpus, node)
        await hold_gpu_limits(yard, self._gpu_judge, look)
        await hold_stalls(yard, self._stalls, look)

    async def _guard(self, look: NodeLook) -> None:
        node, pressure = self._node, await self._memory.look(self._yard, look)
        words = pressure or guard_words(self._yard.settings, look)
        if words != node.measured_guard:
            node.measured_guard = words
            self._yard.hold_or_go_on()
