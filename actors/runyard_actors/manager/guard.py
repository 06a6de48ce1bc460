"""Guard: why nothing may start on a node for now, by what was measured there."""

from __future__ import annotations

from runyard_actors.manager.look import NodeLook
from runyard_cluster.settings import Settings
from runyard_cluster.sizes import format_size

#: More than all of the CPU: nobody asks who uses it.
NEVER_BUSY = 101.0


def busy_from(settings: Settings) -> float:
    """Return the percent of the CPU in use from which on it matters who uses it."""
    return float(settings.cpu_busy_percent or NEVER_BUSY)


def guard_words(settings: Settings, look: NodeLook) -> str | None:
    """Say what holds starts on the node of that look: other programs on the CPU, or too little memory free."""
    limit, busy_percent = settings.cpu_busy_percent, look.others_busy_percent
    if limit and busy_percent > limit:
        return f"other programs keep the CPU {busy_percent:.0f} % busy, the limit is {limit} %"
    free, reserve = look.use.memory_free_bytes, settings.reserve_memory
    if free < reserve:
        return f"{format_size(free)} of memory are free and {format_size(reserve)} are kept for the system"
    return None
