"""More memory for a run that had too little: as much as was asked for, or what the largest node has."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from runyard_actors.request import Request
from runyard_actors.scheduling.nodes import Nodes


def with_more_memory(
    request: Request, factor: float, nodes: Nodes, *, of_gpu: bool = False
) -> Request | None:
    """Return the request with `factor` times its memory, or its GPU memory; None if no node has more than before.

    Whatever it returns, some node holds it when empty: what is asked for beside the memory is seen to.
    """
    before = request.gpu_memory_bytes if of_gpu else request.memory_bytes
    wanted = math.ceil(before * factor)
    for most in sorted(set(_sizes(nodes, of_gpu=of_gpu)), reverse=True):
        amount = min(wanted, most)
        if amount <= before:
            return None
        larger = (
            replace(request, gpu_memory_bytes=amount) if of_gpu else replace(request, memory_bytes=amount)
        )
        if nodes.able(larger):
            return larger
    return None


def _sizes(nodes: Nodes, *, of_gpu: bool) -> Iterable[int]:
    for ledger in nodes.in_order:
        if of_gpu:
            yield from (gpu.memory_bytes for gpu in ledger.spec.gpus)
        else:
            yield ledger.spec.memory_bytes
