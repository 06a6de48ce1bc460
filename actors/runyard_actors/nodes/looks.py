"""Looks of the agent of another node: once a second at each run there, recorded, and told to the manager that asks.

It goes on while no manager is heard of, so what a run used is known without a gap.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from runyard_actors.measure import UsageMeter, Watched
from runyard_actors.nodes.messages import NodeMeasure
from runyard_actors.record_usage import UsageRecorders
from runyard_actors.steps import Steps
from runyard_cluster.capacity import read_use
from runyard_cluster.gpu_processes import GpuMeter
from runyard_cluster.trees import process_rows

LOOK_SECONDS = 1.0


class Looks:
    """Measures what runs, for as long as something does, and what is left of the node for whoever asks."""

    def __init__(self, runs: Callable[[], Sequence[Watched]], gpus: GpuMeter) -> None:
        self._runs_now = runs
        self._gpus = gpus
        self._meter = UsageMeter()
        self._recorders = UsageRecorders()
        #: A meter is asked by one at a time.
        self._looking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._last: NodeMeasure | None = None

    def begin(self) -> None:
        """Look once a second from now on, until nothing runs."""
        if self._task is None:
            self._task = asyncio.create_task(self._look_while_something_runs(), name="looks")

    async def last(self) -> NodeMeasure:
        """Return the last look; a new one while nothing runs."""
        if self._task is None or self._last is None:
            async with self._looking:
                return await asyncio.to_thread(self._look, ())
        return self._last

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
        gpus = self._gpus.look()
        measures = self._meter.measure(runs, process_rows() if runs else [], gpus, time.monotonic())
        self._recorders.record(time.time(), zip(runs, (measure.usage for measure in measures), strict=True))
        return NodeMeasure(
            use=read_use(),
            gpus=gpus,
            runs=tuple(measures),
            gpu_peaks=dict(self._recorders.peaks),
            # Nobody misses an NVML where there never were GPUs.
            warnings=() if self._gpus.is_absent else self._gpus.warnings,
        )
