"""Leases on Ray: one task that declares the run's resources, named for the dashboard, and awaited here."""

from __future__ import annotations

from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from runyard_actors.lease import Assignment, Started, hold
from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.yard import LeaseLostError
from runyard_actors.request import WHOLE
from runyard_actors.run import Outcome


def _lease(manager: Any, assignment: Assignment) -> Outcome:
    def tell(started: Started) -> None:
        manager.on_started.remote(started)

    return hold(assignment, tell)


class RayLeases:
    """Takes leases as Ray tasks owned by this actor, on the actor's own node."""

    def __init__(self) -> None:
        context = ray.get_runtime_context()
        self._manager = context.current_actor
        self._node_id = context.get_node_id()
        self._task = ray.remote(max_retries=0)(_lease)

    async def hold(self, assignment: Assignment, attempt: ActiveRun) -> Outcome:
        """Hold Ray's resources for the attempt until it ended. Raises LeaseLostError when only the task ended."""
        spec = attempt.spec
        assert spec is not None
        task = self._task.options(
            name=f"{spec.module_id} {spec.run_id}",
            num_cpus=spec.request.cpu_milli / WHOLE,
            num_gpus=spec.request.gpu_milli / WHOLE,
            memory=spec.request.memory_bytes or None,
            scheduling_strategy=NodeAffinitySchedulingStrategy(self._node_id, soft=False),
        )
        try:
            outcome: Outcome = await task.remote(self._manager, assignment)
        except RayError as error:
            raise LeaseLostError(type(error).__name__) from error
        return outcome
