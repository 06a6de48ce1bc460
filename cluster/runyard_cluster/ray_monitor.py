"""Ray's own memory monitor: whether a Ray of this machine has it on.

When memory is short it kills the newest tasks, whatever their processes use or declared. The Ray that runyard starts
has it off; in a cluster that is joined, whoever started it decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import psutil

#: The variable of Ray's that sets how often it looks, in milliseconds; 0 is off, and it is on when left out.
VARIABLE = "RAY_memory_monitor_refresh_ms"
_RAYLET = "raylet"


def with_monitor() -> list[int]:
    """Return the pids of Ray's node processes of this machine that have it on, as far as they may be looked at."""
    return [pid for pid, environ in _raylets() if is_on(environ)]


def is_on(environ: Mapping[str, str]) -> bool:
    """Whether a Ray started with these variables has it on."""
    return environ.get(VARIABLE, "").strip() != "0"


def warning() -> str | None:
    """Say that it is on, and what switches it off; None where it is off."""
    pids = with_monitor()
    if not pids:
        return None
    return (
        f"Ray's memory monitor is on (process {', '.join(map(str, pids))}): when memory is short it ends the newest "
        f"leases, whatever their runs declared; start that Ray with {VARIABLE}=0 ray start ..."
    )


def _raylets() -> Iterable[tuple[int, Mapping[str, str]]]:
    for process in psutil.process_iter(["name"]):
        if (process.info["name"] or "").removesuffix(".exe") == _RAYLET:
            try:
                yield process.pid, process.environ()
            except (psutil.Error, OSError):
                continue
