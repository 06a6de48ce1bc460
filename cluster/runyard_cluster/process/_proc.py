"""The process table of Linux, read from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

#: Columns of /proc/PID/stat after the name, counted from the state.
_STATE, _PARENT, _UTIME, _STIME, _START = 0, 1, 11, 12, 19

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def boot_id() -> str:
    """Return the kernel's own id of this boot."""
    return _read("/proc/sys/kernel/random/boot_id").decode("ascii").strip()


def start_time(pid: int) -> float | None:
    """Return the start in ticks since boot; None for a process that is gone or dead."""
    columns = _stat(pid)
    return None if columns is None or columns[_STATE] in b"ZX" else float(columns[_START])


def descendants(roots: Iterable[int]) -> list[int]:
    """Return all living descendants, by the kernel's lists of children; by one pass where it keeps none."""
    roots = list(roots)
    if not _has_children_lists():
        return _descendants_by_pass(roots)
    found: list[int] = []
    waiting = roots
    while waiting:
        children = [child for pid in waiting for child in _children(pid)]
        found += children
        waiting = children
    return [pid for pid in found if not _is_dead(pid)]


def usage(pids: Iterable[int]) -> tuple[float, int]:
    """Return CPU seconds and resident bytes of these processes together."""
    ticks = pages = 0
    for pid in pids:
        columns = _stat(pid)
        if columns is not None:
            ticks += int(columns[_UTIME]) + int(columns[_STIME])
            memory = _read(f"/proc/{pid}/statm").split()
            pages += int(memory[1]) if len(memory) > 1 else 0
    return ticks / _TICKS, pages * _PAGE


def proportional_bytes(pids: Iterable[int]) -> int:
    """Return the memory of these processes with shared pages divided among their users (PSS), in bytes."""
    total = 0
    for pid in pids:
        for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
            if line.startswith(b"Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def with_variable(name: str, value: str) -> Iterator[int]:
    """Yield the processes whose first environment holds `name=value`."""
    wanted = f"{name}={value}".encode()
    for pid in _pids():
        if wanted in _read(f"/proc/{pid}/environ").split(b"\0") and not _is_dead(pid):
            yield pid


def _children(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    return [int(c) for t in threads for c in _read(f"/proc/{pid}/task/{t}/children").split()]


def _has_children_lists() -> bool:
    return os.path.exists(f"/proc/self/task/{os.getpid()}/children")


def _descendants_by_pass(roots: list[int]) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid in _pids():
        columns = _stat(pid)
        if columns is not None and columns[_STATE] not in b"ZX":
            children.setdefault(int(columns[_PARENT]), []).append(pid)
    found: list[int] = []
    waiting = roots
    while waiting:
        waiting = [child for pid in waiting for child in children.get(pid, ())]
        found += waiting
    return found


def _is_dead(pid: int) -> bool:
    return start_time(pid) is None


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _stat(pid: int) -> list[bytes] | None:
    data = _read(f"/proc/{pid}/stat")
    return data[data.rindex(b")") + 2 :].split() if data else None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
