"""The process table of Linux, read from /proc."""

from __future__ import annotations

import os
import sys

assert sys.platform == "linux"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: Columns of /proc/PID/stat after the name, counted from the state.
_STATE, _PARENT, _UTIME, _STIME, _CHILDREN_UTIME, _CHILDREN_STIME, _THREADS, _START = (
    0,
    1,
    11,
    12,
    13,
    14,
    17,
    19,
)
#: The column of the resident pages in the same file.
_STAT_RESIDENT = 21
#: Columns of /proc/PID/statm, in pages; "shared" are pages of files and of shared memory.
_RESIDENT, _SHARED = 1, 2

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: Kernels built without CONFIG_PROC_CHILDREN keep no lists of children.
_HAS_CHILDREN_LISTS = os.path.exists("/proc/thread-self/children")

#: More than /proc/PID/stat ever has: 52 numbers and a name of 64 bytes at most.
_LINE_BYTES = 2048

_FALLOCATE_PUNCH_KEEPING_SIZE = 3


def boot_id() -> str:
    """Return the kernel's own id of this boot."""
    return _read("/proc/sys/kernel/random/boot_id").decode("ascii").strip()


def start_time(pid: int) -> float | None:
    """Return the start in ticks since boot; None for a process that is gone or dead."""
    columns = _stat(pid)
    return None if columns is None or _is_dead(columns) else float(columns[_START])


def descendants(roots: Iterable[int]) -> list[int]:
    """Return all living descendants."""
    return [pid for pid in _below(roots) if start_time(pid) is not None]


def process_table() -> list[tuple[int, int, float, float, int]]:
    """Return pid, parent, CPU seconds, those of its ended children, and resident bytes of every process.

    One file a process, whatever the number of trees: the cheapest way to look at many of them at once.
    """
    found = []
    for pid in _pids():
        columns = _stat(pid)
        if columns is not None:
            found.append(
                (
                    pid,
                    int(columns[_PARENT]),
                    (int(columns[_UTIME]) + int(columns[_STIME])) / _TICKS,
                    (int(columns[_CHILDREN_UTIME]) + int(columns[_CHILDREN_STIME])) / _TICKS,
                    int(columns[_STAT_RESIDENT]) * _PAGE,
                )
            )
    return found


def held_still(pids: Iterable[int]) -> list[int]:
    """Return those that a signal or a debugger holds still."""
    found = ((pid, _stat(pid)) for pid in pids)
    return [pid for pid, columns in found if columns and columns[_STATE] in (b"T", b"t")]


def size_below(roots: Iterable[int]) -> tuple[int, int]:
    """Return the resident bytes and the number of all descendants: one look a process, since the dead have none."""
    found = [size for size in map(_resident, _below(roots)) if size]
    return sum(found), len(found)


def anonymous_bytes(pids: Iterable[int]) -> int:
    """Return the bytes of these processes that only they hold and nothing but swap could take back.

    Pages that processes share are divided among them (PSS), so a forked tree is not counted over and over; pages
    of files are left out, since the kernel drops them when it needs room, as it does under a cgroup's limit.
    """
    return sum(map(_anonymous, pids))


def with_variable(name: str, value: str) -> Iterator[int]:
    """Yield the living processes that were started with `name=value` in their environment."""
    wanted = f"{name}={value}".encode()
    for pid in _pids():
        if wanted in _read(f"/proc/{pid}/environ").split(b"\0") and start_time(pid) is not None:
            yield pid


def out_of_memory_kills() -> int:
    """Return how often the kernel killed a process for want of memory since boot."""
    _, _, count = _read("/proc/vmstat").partition(b"\noom_kill ")
    return int(count.split(None, 1)[0]) if count else 0


def task_count() -> int:
    """Return how many processes and threads there are: one small file, whatever their number."""
    words = _read("/proc/loadavg").split()
    return int(words[3].partition(b"/")[2]) if len(words) > 3 else 0


def punch_hole(descriptor: int, start: int, end: int) -> bool:
    """Give the file's disk space between the offsets back, size and offsets unchanged; False where impossible."""
    import ctypes  # here, because few processes ever need it

    length = ctypes.c_int64(end - start)
    call = ctypes.CDLL(None).fallocate
    return bool(call(descriptor, _FALLOCATE_PUNCH_KEEPING_SIZE, ctypes.c_int64(start), length) == 0)


def _below(roots: Iterable[int]) -> list[int]:
    """Return all descendants, dead ones that nobody waited for included."""
    children = _children if _HAS_CHILDREN_LISTS else _children_by_pass()
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        waiting = [child for pid in waiting for child in children(pid)]
        found += waiting
    return found


def _children(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    return [int(c) for t in threads for c in _read(f"/proc/{pid}/task/{t}/children").split()]


def _children_by_pass() -> Callable[[int], list[int]]:
    children: dict[int, list[int]] = {}
    for pid in _pids():
        columns = _stat(pid)
        if columns is not None:
            children.setdefault(int(columns[_PARENT]), []).append(pid)
    return lambda pid: children.get(pid, [])


def _is_dead(columns: list[bytes]) -> bool:
    """A main thread that ended while others go on looks dead too, so the number of threads decides."""
    return columns[_STATE] in b"ZX" and int(columns[_THREADS]) <= 1


def _resident(pid: int) -> int:
    columns = _read(f"/proc/{pid}/statm").split()
    return int(columns[_RESIDENT]) * _PAGE if columns else 0


def _anonymous(pid: int) -> int:
    lines = [line.split() for line in _read(f"/proc/{pid}/smaps_rollup").splitlines()[1:]]
    kilobytes = {line[0]: int(line[1]) for line in lines}
    if b"Pss:" in kilobytes:
        return (kilobytes[b"Pss:"] - kilobytes.get(b"Pss_File:", 0)) * 1024
    # Another user's process, or a kernel without this file: what is not shared is surely its own.
    columns = _read(f"/proc/{pid}/statm").split()
    return (int(columns[_RESIDENT]) - int(columns[_SHARED])) * _PAGE if columns else 0


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _stat(pid: int) -> list[bytes] | None:
    data = _read_line(f"/proc/{pid}/stat")
    return data[data.rindex(b")") + 2 :].split() if data else None


def _read_line(path: str) -> bytes:
    """Read a file of one short line: the kernel hands it out whole at the first read, so there is no second."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _LINE_BYTES)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _read(path: str) -> bytes:
    """Read without Python's file objects, which cost twice as much; an ended process has nothing to read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
