"""When no scheduler, however clever, can be done before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runyard_actors.request import WHOLE, Request
from runyard_actors.scheduling.ledger import NodeLedger
from runyard_actors.scheduling.node import NodeSpec
from tests.benchmarks.workload import Workload

#: CPU thousandths, bytes, GPU thousandths and bytes of GPU memory.
Amounts = tuple[int, int, int, int]


def capacity(nodes: Iterable[NodeSpec]) -> Amounts:
    """Return what nodes have together."""
    specs = list(nodes)
    gpus = [gpu for spec in specs for gpu in spec.gpus]
    return (
        sum(spec.cpu_milli for spec in specs),
        sum(spec.memory_bytes for spec in specs),
        len(gpus) * WHOLE,
        sum(gpu.memory_bytes for gpu in gpus),
    )


def lower_bound(workload: Workload) -> int:
    """Return the earliest end of all, in microseconds.

    No run ends before its submission and its duration are over. And whatever can run on some of the nodes only,
    from whichever moment it is submitted, is spread over all that these nodes have, for each resource. Dependencies
    and the room lost between runs are left out, so the bound is seldom reached.
    """
    durations = workload.durations
    latest = max(s.at + max(durations[run.run_id] for run in s.runs) for s in workload.submissions)
    requests = {run.request for submission in workload.submissions for run in submission.runs}
    able = {request: _able(request, workload.nodes) for request in requests}
    return max(latest, *(_spread(workload, names, able) for names in set(able.values())))


def _able(request: Request, nodes: Sequence[NodeSpec]) -> frozenset[str]:
    return frozenset(spec.name for spec in nodes if NodeLedger(spec).could_hold(request))


def _spread(workload: Workload, names: frozenset[str], able: dict[Request, frozenset[str]]) -> int:
    """Return when what must run on these nodes is done at the earliest."""
    nodes = [spec for spec in workload.nodes if spec.name in names]
    total = capacity(nodes)
    least = {request: _least(request, nodes) for request, where in able.items() if where <= names}
    left, latest = [0, 0, 0, 0], 0
    for submission in reversed(workload.submissions):
        times: dict[Request, int] = {}
        for run in submission.runs:
            times[run.request] = times.get(run.request, 0) + workload.durations[run.run_id]
        for request, time in times.items():
            for i, amount in enumerate(least.get(request, ())):
                left[i] += amount * time
        busy = max(area // amount for area, amount in zip(left, total, strict=True) if amount)
        latest = max(latest, submission.at + busy if any(left) else 0)
    return latest


def _least(request: Request, nodes: Iterable[NodeSpec]) -> Amounts:
    """Return the least that a run can hold: whole GPUs come with all their memory."""
    whole, vram = request.whole_gpus, request.gpu_memory_bytes
    if whole:
        sizes = (gpu.memory_bytes for spec in nodes for gpu in spec.gpus)
        vram = whole * min((size for size in sizes if size >= vram), default=0)
    return request.cpu_milli, request.memory_bytes, request.gpu_milli, vram
