"""The machine in words: slots, and each node's CPUs, memory and GPUs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runyard.cli.say import clean
from runyard_cluster.sizes import format_size


def machine_lines(resources: Mapping[str, Any]) -> list[str]:
    """Return the answer of `GET /api/resources` as lines."""
    slots = resources["semaphore"]
    paused = "".join(f"; {words}" for words in paused_words(slots))
    lines = [
        f"slots   {slots['active']} of {slots['max_concurrent_runs']} taken, {slots['queued']} queued{paused}"
    ]
    if resources.get("storage_fault"):
        lines.append(f"store   cannot be written: {clean(resources['storage_fault'])}")
    for node in resources["nodes"]:
        lines += _node_lines(node)
    return lines


#: Labels that are shown elsewhere.
SHOWN = ("name", "gpu")


def paused_words(slots: Mapping[str, Any]) -> list[str]:
    """Say why nothing new starts, if so: somebody paused it, or `pause_when` did."""
    by_hand = ["paused, 'runyard resume' goes on"] if slots["is_paused"] else []
    by_rule = slots.get("paused_while")
    return by_hand + ([clean(by_rule)] if by_rule else [])


def _node_lines(node: Mapping[str, Any]) -> list[str]:
    capacity, declared, free = node["capacity"], node["declared"], node["free"]
    use = node.get("use") or {}
    busy = f"; {use['cpu_busy_percent']:.0f}% busy" if use.get("cpu_busy_percent") is not None else ""
    unused = f"; {format_size(use['memory_free'])} unused" if use.get("memory_free") is not None else ""
    lines = [
        f"node    {clean(node['node'])}" + (f": {clean(node['guard'])}" if node.get("guard") else ""),
        f"  CPUs    {declared['num_cpus']:g} of {capacity['num_cpus']:g} declared, "
        f"{free['num_cpus']:g} free{busy}",
        f"  memory  {format_size(declared['memory'])} of {format_size(capacity['memory'])} declared, "
        f"{format_size(free['memory'])} free{unused}",
    ]
    if labels := [f"{key}={value}" for key, value in (node.get("labels") or {}).items() if key not in SHOWN]:
        lines.append(f"  labels  {clean(', '.join(labels))}")
    lines += [_gpu_line(gpu) for gpu in node.get("gpus") or ()]
    return lines + [f"  warning {clean(words)}" for words in node.get("warnings") or ()]


def _gpu_line(gpu: Mapping[str, Any]) -> str:
    name = f" {clean(gpu['name'])}" if gpu.get("name") else ""
    if gpu.get("lost"):
        return f"  GPU {gpu['index']}  not used: {clean(gpu['lost'])}"
    unused = f", {format_size(gpu['free_bytes'])} unused" if gpu.get("free_bytes") is not None else ""
    unused += f", {gpu['busy_percent']:.0f}% busy" if gpu.get("busy_percent") is not None else ""
    return f"  GPU {gpu['index']}  {format_size(gpu['memory_bytes'])}{unused}{name}"
