"""Advice for modules, from their past runs, as JSON: for the server, and for a command without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from runyard_actors.learning.advice import Place, advise
from runyard_actors.learning.past import PastRun
from runyard_actors.request import WHOLE, Request
from runyard_cluster.capacity import Capacity, auto_request
from runyard_cluster.settings import ModuleSettings, Settings


def advice_of(
    module: ModuleSettings | None, runs: Sequence[PastRun], settings: Settings, capacity: Capacity
) -> list[dict[str, Any]]:
    """Return advice for a module of the registry, or with None for one that only its runs tell of."""
    if not runs:
        return []
    place = Place(capacity=capacity, slots=settings.max_concurrent_runs)
    if module is None:
        # A run that was given more memory asks for more than its module does.
        asked = next((r for r in runs if not r.memory_retries), runs[0]).request
        return [asdict(each) for each in advise(runs, asked, place)]
    if module.max_concurrent is not None:
        place = Place(capacity=capacity, slots=min(place.slots, module.max_concurrent))
    memory = settings.defaults.memory if module.memory is None else module.memory
    learned = [
        name for name, value in (("memory", memory), ("gpu_memory", module.gpu_memory)) if value == "learn"
    ]
    return [asdict(each) for each in advise(runs, _asked(module, settings, capacity), place, learned)]


def _asked(module: ModuleSettings, settings: Settings, capacity: Capacity) -> Request:
    auto_cpu, auto_memory = auto_request(capacity, settings.max_concurrent_runs)
    cpus = settings.defaults.num_cpus if module.num_cpus is None else module.num_cpus
    memory = settings.defaults.memory if module.memory is None else module.memory
    return Request(
        cpu_milli=auto_cpu if isinstance(cpus, str) else round(cpus * WHOLE),
        gpu_milli=round((module.num_gpus or 0) * WHOLE),
        memory_bytes=auto_memory if isinstance(memory, str) else memory,
        gpu_memory_bytes=module.gpu_memory if isinstance(module.gpu_memory, int) else 0,
    )
