"""The process table of macOS, as `ps` and `sysctl` tell it."""

from __future__ import annotations

import fcntl
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from time import mktime, strptime

assert sys.platform != "win32"

#: From <sys/fcntl.h>; the struct is flags, reserved, offset, length.
_F_PUNCHHOLE = 99
_PUNCHHOLE = "@IIqq"


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
    own, table = _run_as("ps", "-axo", "pid=,ppid=,state=")
    children: dict[int, list[int]] = {}
    for line in table.splitlines():
        pid, parent, state = line.split()[:3]
        # `ps` sees itself, a child of this process that is gone by now.
        if not state.startswith("Z") and int(pid) != own:
            children.setdefault(int(parent), []).append(int(pid))
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        waiting = [child for pid in waiting for child in children.get(pid, ())]
        found += waiting
    return found


def usage(pids: Iterable[int]) -> tuple[float, int]:
    """Return CPU seconds and resident bytes of these processes together."""
    wanted = ",".join(map(str, pids))
    seconds, kilobytes = 0.0, 0
    for line in _run("ps", "-o", "time=,rss=", "-p", wanted).splitlines() if wanted else ():
        spent, resident = line.split()
        seconds += _seconds(spent)
        kilobytes += int(resident)
    return seconds, kilobytes * 1024


def process_table() -> list[tuple[int, int, float, float, int]]:
    """Return pid, parent, CPU seconds, 0 for its ended children, and resident bytes of every process."""
    rows = (line.split() for line in _run("ps", "-axo", "pid=,ppid=,time=,rss=").splitlines())
    return [(int(pid), int(up), _seconds(spent), 0.0, int(kb) * 1024) for pid, up, spent, kb in rows]


def held_still(pids: Iterable[int]) -> list[int]:
    """Return those that a signal or a debugger holds still."""
    wanted = ",".join(map(str, pids))
    rows = _run("ps", "-o", "pid=,state=", "-p", wanted).splitlines() if wanted else ()
    return [int(pid) for pid, state in map(str.split, rows) if state.startswith("T")]


def size_below(roots: Iterable[int]) -> tuple[int, int]:
    """Return the resident bytes and the number of all descendants."""
    found = descendants(roots)
    return usage(found)[1], len(found)


def anonymous_bytes(pids: Iterable[int]) -> int:
    """Return the resident bytes: this system tells no finer figure without privilege."""
    return usage(pids)[1]


def with_variable(name: str, value: str) -> Iterator[int]:
    """Yield the user's processes whose environment holds `name=value`."""
    wanted = f"{name}={value}"
    for line in _run("ps", "-xEwwo", "pid=,command=").splitlines():
        if wanted in line.split():
            yield int(line.split()[0])


def out_of_memory_kills() -> int:
    """Return 0: this system counts no such kills."""
    return 0


def task_count() -> int:
    """Return 0: asking costs this system as much as a look at the tree itself."""
    return 0


def punch_hole(descriptor: int, start: int, end: int) -> bool:
    """Give the file's disk space between the offsets back, size and offsets unchanged; False where impossible."""
    try:
        fcntl.fcntl(descriptor, _F_PUNCHHOLE, struct.pack(_PUNCHHOLE, 0, 0, start, end - start))
    except OSError:
        return False
    return True


def _seconds(spent: str) -> float:
    """Return the seconds of "1:02.34" or "1-02:03:04"; an hour has 60 minutes, and so on up to the hour."""
    days, _, clock = spent.rpartition("-")
    parts = [float(part) for part in clock.split(":")]
    seconds = 86400.0 * int(days or 0)
    for place, part in enumerate(reversed(parts)):
        seconds += part * float(60**place)
    return seconds


def _run(*command: str) -> str:
    return _run_as(*command)[1]


def _run_as(*command: str) -> tuple[int, str]:
    """Return the pid that the command had, and what it printed."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        return process.pid, process.communicate()[0]
