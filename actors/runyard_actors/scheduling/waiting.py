"""What a queued run waits for, in one sentence for a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter

from runyard_actors.request import WHOLE, Request
from runyard_actors.scheduling.admission import Admission
from runyard_actors.scheduling.ledger import GpuLedger, NodeLedger
from runyard_actors.scheduling.line import Batch, Entry
from runyard_actors.scheduling.nodes import Nodes
from runyard_actors.selector import is_selector
from runyard_cluster.sizes import format_size

#: Characters of the list of nodes that are shown to who asks for one that is not there.
MAX_NAMES = 300


def waiting_words(entry: Entry, admission: Admission) -> str:
    """Say what a queued run waits for: the most particular thing first, its place in the queue last."""
    limits, run = admission.limits, entry.run
    module, batch = entry.module, entry.batch
    if not module.has_room():
        return f"{module.taken} of {module.limit} slots of module {run.module_id} are taken"
    if batch is not None and not batch.semaphore.has_room():
        return _batch_words(batch)
    lack = resource_words(run.request, admission.nodes)
    if lack is not None:
        return lack
    place = f"position {admission.queue.position(entry)} of {admission.queue.length} in the queue"
    if not limits.total.has_room():
        return f"all {limits.total.limit} slots are taken; {place}"
    return _kept_words(entry, admission) or place


def resource_words(request: Request, nodes: Nodes) -> str | None:
    """Say which resource is short, and how much of it is free where most is; None if some node has room."""
    able = [ledger for group in nodes.able(request) for ledger in group.ledgers]
    if not able:
        return _not_up(request.node)
    if any(ledger.fit(request) is not None for ledger in able):
        return None
    unguarded = [ledger for ledger in able if ledger.guard is None]
    if not unguarded or (len(unguarded) < len(able) and not _is_short_on_all(request, able)):
        held = next(ledger for ledger in able if ledger.guard is not None)
        return f"{held.guard} ({held.spec.name})"
    return _lack(request, unguarded, "most free")


def never_fits_words(request: Request, nodes: Nodes) -> str | None:
    """Say what no node has, even with nothing on it, and name the one that has most; None if some node could."""
    if not nodes.in_order:
        return "no node is up"
    if nodes.able(request):
        return None
    ledgers = [each for each in nodes.in_order if not request.node or each.spec.is_meant(request.node)]
    if not ledgers:
        return _nobody_is_meant(request.node, nodes)
    lack = _lack(request, [NodeLedger(ledger.spec) for ledger in ledgers], "most")
    return f"{_who(request.node)} hold it: {lack}"


def _not_up(node: str) -> str:
    if is_selector(node):
        return f"no node with {node} is up"
    return f"node {node} is not up" if node else "no node that could hold it is up"


def _nobody_is_meant(node: str, nodes: Nodes) -> str:
    if not is_selector(node):
        return (
            f"no node is called {node!r}; those that are up: {', '.join(sorted(nodes.by_name))[:MAX_NAMES]}"
        )
    known = sorted({f"{key}={value}" for each in nodes.in_order for key, value in each.spec.labels})
    return f"no node has {node}; labels of those that are up: {', '.join(known)[:MAX_NAMES]}"


def _who(node: str) -> str:
    if is_selector(node):
        return f"no node with {node} could ever"
    return f"node {node} could never" if node else "no node could ever"


def _batch_words(batch: Batch) -> str:
    name = batch.spec.name or batch.spec.batch_id
    return f"{batch.semaphore.taken} of {batch.semaphore.limit} slots of batch {name} are taken"


def _kept_words(entry: Entry, admission: Admission) -> str | None:
    head = admission.head
    kept = head.reservation if head is not None else None
    if head is None or kept is None or head.entry is entry:
        return None
    return f"room on {kept.node} is kept for run {head.entry.run.run_id}, which comes first"


def _is_short_on_all(request: Request, ledgers: Iterable[NodeLedger]) -> bool:
    """Whether the request would fit nowhere even where starts are held."""
    return not any(ledger.fit_beside_guard(request) is not None for ledger in ledgers)


def _lack(request: Request, ledgers: Sequence[NodeLedger], most: str) -> str:
    """Name the first resource of which no node has enough; `most` is "most" or "most free"."""
    most_cpu = max(ledgers, key=attrgetter("free_cpu"))
    if 0 < request.cpu_milli > most_cpu.free_cpu:
        free = _cpus(max(0, most_cpu.free_cpu))
        return f"{_cpus(request.cpu_milli)}: {most} on one node is {free} ({most_cpu.spec.name})"
    most_memory = max(ledgers, key=attrgetter("room_memory"))
    if 0 < request.memory_bytes > most_memory.room_memory:
        if most_memory.spare_memory < most_memory.free_memory:
            return _spare_words(request, most_memory)
        asked, free = format_size(request.memory_bytes), format_size(max(0, most_memory.free_memory))
        return f"{asked} memory: {most} on one node is {free} ({most_memory.spec.name})"
    words = _gpu_lack(request, ledgers, most) if request.needs_gpu else None
    whole = "all of it" if most == "most" else "all of it free"
    return words or f"{_asked(request)}: no node has {whole}"


def _spare_words(request: Request, ledger: NodeLedger) -> str:
    """Say that other programs hold what is not declared, and what is left beside them and beside the runs."""
    spec, spare = ledger.spec, format_size(max(0, ledger.spare_memory))
    others = format_size(max(0, spec.memory_bytes - ledger.attainable_memory))
    return (
        f"{format_size(request.memory_bytes)} memory: {spare} of {format_size(spec.memory_bytes)} on {spec.name} are "
        f"free{_when_taken(ledger.runs)} (other programs use {others})"
    )


def _spare_gpu_words(request: Request, gpu: GpuLedger, node: str) -> str:
    spare, total = format_size(max(0, gpu.spare_memory)), format_size(gpu.total_memory)
    others = format_size(max(0, gpu.total_memory - gpu.attainable_memory))
    return (
        f"{format_size(request.gpu_memory_bytes)} gpu_memory: {spare} of {total} on one GPU ({node}, GPU {gpu.index}) "
        f"are free when running runs take what they declared (other programs use {others})"
    )


def _when_taken(runs: int) -> str:
    if not runs:
        return ""
    return (
        f" when the {runs} running runs take what they declared"
        if runs > 1
        else (" when the running run takes what it declared")
    )


def _gpu_lack(request: Request, ledgers: Sequence[NodeLedger], most: str) -> str | None:
    gpus = [(gpu, ledger.spec.name) for ledger in ledgers for gpu in ledger.gpus]
    if not gpus:
        return f"{_asked_gpu(request)}: no node has a GPU"
    gpu, node = max(gpus, key=lambda each: each[0].room_memory)
    if 0 < request.gpu_memory_bytes > gpu.room_memory:
        if gpu.spare_memory < gpu.free_memory:
            return _spare_gpu_words(request, gpu, node)
        asked, free = format_size(request.gpu_memory_bytes), format_size(max(0, gpu.free_memory))
        return f"{asked} gpu_memory: {most} on one GPU is {free} ({node}, GPU {gpu.index})"
    if request.whole_gpus:
        ledger = max(ledgers, key=lambda each: _unused(request, each.gpus))
        unused = _unused(request, ledger.gpus)
        if unused < request.whole_gpus:
            return f"{_asked_gpu(request)}: {most} on one node is {unused} ({ledger.spec.name})"
    gpu, node = max(gpus, key=lambda each: each[0].free_milli)
    if 0 < request.gpu_milli % WHOLE > gpu.free_milli:
        free = f"{max(0, gpu.free_milli) / WHOLE:g}"
        return f"{_asked_gpu(request)}: {most} of one GPU is {free} ({node}, GPU {gpu.index})"
    return None


def _unused(request: Request, gpus: Iterable[GpuLedger]) -> int:
    return sum(gpu.is_unused and gpu.total_memory >= request.gpu_memory_bytes for gpu in gpus)


def _asked(request: Request) -> str:
    parts = [_cpus(request.cpu_milli)] if request.cpu_milli else []
    if request.memory_bytes:
        parts.append(f"{format_size(request.memory_bytes)} memory")
    if request.needs_gpu:
        parts.append(_asked_gpu(request))
    return " and ".join(parts)


def _asked_gpu(request: Request) -> str:
    plural = "s" if request.gpu_milli > WHOLE else ""
    parts = [f"{request.gpu_milli / WHOLE:g} GPU{plural}"] if request.gpu_milli else []
    if request.gpu_memory_bytes:
        parts.append(f"{format_size(request.gpu_memory_bytes)} gpu_memory")
    return " with ".join(parts)


def _cpus(milli: int) -> str:
    return f"{milli / WHOLE:g} CPU" + ("" if milli == WHOLE else "s")
