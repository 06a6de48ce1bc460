"""Looks of the agent of another node: once a second at each run there, recorded, and told to the manager that asks.

It goes on while no manager is heard of, so what a run used is known without a gap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from runyard_actors.measure import NodeMeasure, RunMeasure, Watched
from runyard_actors.node_meter import NodeMeter
from runyard_actors.steps import Steps

LOOK_SECONDS = 1.0


class Looks:
    """Measures what runs, for as long as something does, and what is left of the node for whoever asks."""

    def __init__(
        self, meter: NodeMeter, runs: Callable[[], Sequence[Watched]], spawners: Callable[[], Sequence[int]]
    ) -> None:
        """`runs` are those that run now, `spawners` the pids of what starts their supervisors."""
        self._meter = meter
        self._runs_now = runs
        self._spawners_now = spawners
        self._busy_from = 0.0
        #: A meter is asked by one at a time.
        self._looking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._last: NodeMeasure | None = None

    def begin(self) -> None:
        """Look once a second from now on, until nothing runs."""
        if self._task is None:
            self._task = asyncio.create_task(self._look_while_something_runs(), name="looks")

    async def last(self, busy_from: float) -> NodeMeasure:
        """Return the last look; a new one while nothing runs. `busy_from` is as in `NodeMeter.look`, from now on."""
        self._busy_from = busy_from
        if self._task is None or self._last is None:
            async with self._looking:
                return await asyncio.to_thread(self._look, ())
        return self._last

    def runs(self) -> Sequence[RunMeasure]:
        """Return what the last look showed of what runs."""
        return self._last.runs if self._last else ()

    def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()

    async def _look_while_something_runs(self) -> None:
        steps = Steps()
        try:
            while runs := self._runs_now():
                async with self._looking:
                    look = asyncio.to_thread(self._look, runs)
                    self._last = await steps.do("looking at what runs here", look) or self._last
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._task = self._last = None

    def _look(self, runs: Sequence[Watched]) -> NodeMeasure:
        return self._meter.look(runs, spawners=self._spawners_now(), busy_from=self._busy_from)
