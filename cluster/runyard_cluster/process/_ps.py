"""The process table of macOS, as `ps` and `sysctl` tell it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from time import mktime, strptime


def boot_id() -> str:
    """Return the id of this boot."""
    return _run("sysctl", "-n", "kern.bootsessionuuid").strip()


def start_time(pid: int) -> float | None:
    """Return the start in seconds; None for a process that is gone or dead."""
    state, _, started = _run("ps", "-o", "state=,lstart=", "-p", str(pid)).strip().partition(" ")
    if not state or state.startswith("Z"):
        return None
    return mktime(strptime(started.strip(), "%a %b %d %H:%M:%S %Y"))


def descendants(roots: Iterable[int]) -> list[int]:
    """Return all living descendants."""
    children: dict[int, list[int]] = {}
    for line in _run("ps", "-axo", "pid=,ppid=,state=").splitlines():
        pid, parent, state = line.split()[:3]
        if not state.startswith("Z"):
            children.setdefault(int(parent), []).append(int(pid))
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        waiting = [child for pid in waiting for child in children.get(pid, ())]
        found += waiting
    own = os.getpid()
    return [pid for pid in found if pid != own]


def usage(pids: Iterable[int]) -> tuple[float, int]:
    """Return CPU seconds and resident bytes of these processes together."""
    wanted = ",".join(map(str, pids))
    seconds, kilobytes = 0.0, 0
    for line in _run("ps", "-o", "time=,rss=", "-p", wanted).splitlines() if wanted else ():
        spent, resident = line.split()
        parts = [float(part) for part in spent.replace("-", ":").split(":")]
        seconds += sum(part * 60**place for place, part in enumerate(reversed(parts)))
        kilobytes += int(resident)
    return seconds, kilobytes * 1024


def proportional_bytes(pids: Iterable[int]) -> int:
    """Return the resident bytes: this system has no proportional figure to read without privilege."""
    return usage(pids)[1]


def with_variable(name: str, value: str) -> Iterator[int]:
    """Yield the user's processes whose environment holds `name=value`."""
    wanted = f"{name}={value}"
    for line in _run("ps", "-xEwwo", "pid=,command=").splitlines():
        if wanted in line.split():
            yield int(line.split()[0])


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return done.stdout
