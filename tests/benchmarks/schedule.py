"""What came out of a simulation: who started when and where, checked and measured without the scheduler's books."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runyard_actors.request import WHOLE, Request
from runyard_actors.run import Placement, RunId
from runyard_actors.scheduling.node import NodeSpec
from tests.benchmarks.bound import capacity
from tests.benchmarks.workload import SECOND, Workload

Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Schedule:
    """When and where each run started, and the seconds of CPU that deciding and simulating took."""

    starts: Mapping[RunId, tuple[int, Placement]]
    seconds: float


@dataclass(frozen=True, slots=True)
class Measures:
    """A schedule in numbers; times in seconds, waits from the moment a run might have started."""

    makespan: float
    bound_ratio: float
    utilisation: tuple[float, float, float, float]
    mean_wait: float
    p99_wait: float
    worst_wait: float
    decisions_per_second: float


def measure(workload: Workload, schedule: Schedule, bound: int) -> Measures:
    """Put a schedule into numbers; `bound` is when none can be done before."""
    starts, durations = schedule.starts, workload.durations
    makespan = max(at + durations[run_id] for run_id, (at, _) in starts.items())
    waited = sorted(waits(workload, schedule).values())
    return Measures(
        makespan=makespan / SECOND,
        bound_ratio=makespan / bound,
        utilisation=_utilisation(workload, schedule, makespan),
        mean_wait=sum(waited) / len(waited) / SECOND,
        p99_wait=waited[math.ceil(len(waited) * 0.99) - 1] / SECOND,
        worst_wait=waited[-1] / SECOND,
        decisions_per_second=len(starts) / max(schedule.seconds, 1e-9),
    )


def waits(workload: Workload, schedule: Schedule) -> dict[RunId, int]:
    """Return how long each run waited from when it was submitted, and those it comes after had ended."""
    starts, found = schedule.starts, {}
    for submission in workload.submissions:
        for run in submission.runs:
            ends = (starts[each][0] + workload.durations[each] for each in run.after)
            found[run.run_id] = starts[run.run_id][0] - max(submission.at, *ends, 0)
    return found


def faults(workload: Workload, schedule: Schedule) -> list[str]:
    """Say what is wrong with a schedule: a run that never ran, ran too early, or where there was no room.

    Sums up from the schedule alone what is held at each moment, and asks none of the scheduler's ledgers.
    """
    requests = {run.run_id: run.request for each in workload.submissions for run in each.runs}
    found = [f"{run_id} never ran" for run_id in requests if run_id not in schedule.starts]
    if not found:
        found = [
            f"{run_id} ran {-each} us early" for run_id, each in waits(workload, schedule).items() if each < 0
        ]
    sizes = {key: amount for spec in workload.nodes for key, amount in _sizes(spec)}
    held = dict.fromkeys(sizes, 0)
    for at, sign, run_id, placement in _moments(workload, schedule):
        request = requests[run_id]
        if sign > 0 and len(placement.gpu_indexes) != (
            max(1, request.whole_gpus) if request.needs_gpu else 0
        ):
            found.append(f"{run_id} got {len(placement.gpu_indexes)} GPUs")
        for key, amount in _held(request, placement, sizes):
            held[key] += sign * amount
            if held[key] > sizes[key]:
                found.append(f"{run_id} at {at} us: {held[key]} of {sizes[key]} held of {key}")
    return found


def _moments(workload: Workload, schedule: Schedule) -> Iterator[tuple[int, int, RunId, Placement]]:
    """Yield starts (+1) and ends (-1) by time, ends first."""
    events = [(at, 1, run_id, placement) for run_id, (at, placement) in schedule.starts.items()]
    events += [
        (at + workload.durations[run_id], -1, run_id, placement) for at, _, run_id, placement in events
    ]
    yield from sorted(events, key=lambda each: each[:2])


def _sizes(spec: NodeSpec) -> Iterator[tuple[Key, int]]:
    yield (spec.name, "cpu", 0), spec.cpu_milli
    yield (spec.name, "memory", 0), spec.memory_bytes
    for gpu in spec.gpus:
        yield (spec.name, "gpu", gpu.index), WHOLE
        yield (spec.name, "gpu memory", gpu.index), gpu.memory_bytes


def _held(request: Request, placement: Placement, sizes: Mapping[Key, int]) -> Iterator[tuple[Key, int]]:
    """Yield what a run holds where; a whole GPU is held with all its memory."""
    yield (placement.node, "cpu", 0), request.cpu_milli
    yield (placement.node, "memory", 0), request.memory_bytes
    for index in placement.gpu_indexes:
        memory = (placement.node, "gpu memory", index)
        yield (placement.node, "gpu", index), min(WHOLE, request.gpu_milli)
        yield memory, sizes[memory] if request.gpu_milli >= WHOLE else request.gpu_memory_bytes


def _utilisation(workload: Workload, schedule: Schedule, makespan: int) -> tuple[float, float, float, float]:
    sizes = {key: amount for spec in workload.nodes for key, amount in _sizes(spec)}
    areas = {"cpu": 0, "memory": 0, "gpu": 0, "gpu memory": 0}
    for submission in workload.submissions:
        for run in submission.runs:
            placement = schedule.starts[run.run_id][1]
            for key, amount in _held(run.request, placement, sizes):
                areas[key[1]] += amount * workload.durations[run.run_id]
    cpu, memory, gpu, vram = (
        area / total / makespan if total else 0.0
        for area, total in zip(areas.values(), capacity(workload.nodes), strict=True)
    )
    return cpu, memory, gpu, vram
