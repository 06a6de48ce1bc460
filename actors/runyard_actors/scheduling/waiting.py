"""What a queued run waits for, in one sentence for a person."""

from __future__ import annotations

from collections.abc import Collection

from runyard_actors.request import WHOLE, Request
from runyard_actors.scheduling.ledger import NodeLedger, fits_when_empty
from runyard_cluster.sizes import format_size


def resources_words(request: Request, ledgers: Collection[NodeLedger]) -> str:
    """Say which resource is missing, and how much of it is free where most is."""
    able = [ledger for ledger in ledgers if fits_when_empty(ledger.spec, request)]
    if not able:
        return "no node that could hold it is up"
    open_nodes = [ledger for ledger in able if ledger.guard is None]
    if not open_nodes:
        return f"{able[0].guard} ({able[0].spec.name})"
    return min((_lack(request, ledger) for ledger in open_nodes), key=len)


def never_fits_words(request: Request, ledgers: Collection[NodeLedger]) -> str | None:
    """Say what no node has, even with nothing on it, and name the largest; None if some node could hold it."""
    if not ledgers:
        return "no node is up"
    if any(fits_when_empty(ledger.spec, request) for ledger in ledgers):
        return None
    empty = [NodeLedger(ledger.spec) for ledger in ledgers]
    largest = max(empty, key=lambda e: (len(e.gpus), e.free_memory, e.free_cpu))
    return f"{_asked(request)} can never run here: {_whole(largest)}"


def _lack(request: Request, ledger: NodeLedger) -> str:
    name = ledger.spec.name
    if 0 < request.cpu_milli > ledger.free_cpu:
        return f"{_cpus(request.cpu_milli)}: {_cpus(max(0, ledger.free_cpu))} of {name} are free"
    if 0 < request.memory_bytes > ledger.free_memory:
        free = format_size(max(0, ledger.free_memory))
        return f"{format_size(request.memory_bytes)} memory: {free} of {name} are free"
    if request.needs_gpu and ledger.fit(request) is None:
        return _gpu_lack(request, ledger)
    return f"room on {name} is kept for a run that waits longer"


def _gpu_lack(request: Request, ledger: NodeLedger) -> str:
    name = ledger.spec.name
    if request.whole_gpus:
        unused = sum(gpu.is_unused for gpu in ledger.gpus)
        return f"{request.whole_gpus} whole GPUs: {unused} of {name} are unused"
    if request.gpu_memory_bytes:
        most = max(ledger.gpus, key=lambda gpu: gpu.free_memory)
        if most.free_memory < request.gpu_memory_bytes:
            asked, free = format_size(request.gpu_memory_bytes), format_size(most.free_memory)
            return f"{asked} gpu_memory: most free on one GPU is {free} ({name}, GPU {most.index})"
    most = max(ledger.gpus, key=lambda gpu: gpu.free_milli)
    asked_share, free_share = request.gpu_milli / WHOLE, most.free_milli / WHOLE
    return f"{asked_share:g} of a GPU: most free on one is {free_share:g} ({name}, GPU {most.index})"


def _asked(request: Request) -> str:
    parts = [_cpus(request.cpu_milli)] if request.cpu_milli else []
    if request.memory_bytes:
        parts.append(f"{format_size(request.memory_bytes)} memory")
    if request.gpu_milli:
        parts.append(f"{request.gpu_milli / WHOLE:g} GPU")
    if request.gpu_memory_bytes:
        parts.append(f"{format_size(request.gpu_memory_bytes)} gpu_memory")
    return "a request for " + " and ".join(parts)


def _whole(ledger: NodeLedger) -> str:
    parts = [_cpus(ledger.free_cpu), f"{format_size(ledger.free_memory)} memory"]
    if ledger.gpus:
        sizes = max(gpu.total_memory for gpu in ledger.gpus)
        parts.append(f"{len(ledger.gpus)} GPU of up to {format_size(sizes)}")
    else:
        parts.append("no GPU")
    return f"the largest node, {ledger.spec.name}, has {', '.join(parts)}"


def _cpus(milli: int) -> str:
    return f"{milli / WHOLE:g} CPU"
