"""Processes on Windows, through its own calls by ctypes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)

    _LOCKFILE_FAIL_IMMEDIATELY = 1
    _LOCKFILE_EXCLUSIVE_LOCK = 2
    _PROCESS_TERMINATE = 0x0001
    _PROCESS_VM_READ = 0x0010
    _PROCESS_QUERY_LIMITED_INFORMATION = 0x1000
    _STILL_ACTIVE = 259
    _SNAPSHOT_PROCESSES = 2
    _CREATE_BREAKAWAY_FROM_JOB = 0x01000000
    _DETACHED_PROCESS = 0x00000008
    _LOCKED_OFFSET_HIGH = 0x40000000
    _FSCTL_SET_SPARSE = 0x000900C4
    _FSCTL_SET_ZERO_DATA = 0x000980C8
    _TICKS_A_SECOND = 10_000_000

    class _Overlapped(ctypes.Structure):
        _fields_ = (
            ("Internal", ctypes.c_size_t),
            ("InternalHigh", ctypes.c_size_t),
            ("Offset", wintypes.DWORD),
            ("OffsetHigh", wintypes.DWORD),
            ("hEvent", wintypes.HANDLE),
        )

    class _ProcessEntry(ctypes.Structure):
        _fields_ = (
            ("dwSize", wintypes.DWORD),
            ("cntUsage", wintypes.DWORD),
            ("th32ProcessID", wintypes.DWORD),
            ("th32DefaultHeapID", ctypes.c_size_t),
            ("th32ModuleID", wintypes.DWORD),
            ("cntThreads", wintypes.DWORD),
            ("th32ParentProcessID", wintypes.DWORD),
            ("pcPriClassBase", wintypes.LONG),
            ("dwFlags", wintypes.DWORD),
            ("szExeFile", wintypes.WCHAR * 260),
        )

    class _MemoryCounters(ctypes.Structure):
        _fields_ = (
            ("cb", wintypes.DWORD),
            ("PageFaultCount", wintypes.DWORD),
            ("PeakWorkingSetSize", ctypes.c_size_t),
            ("WorkingSetSize", ctypes.c_size_t),
            ("QuotaPeakPagedPoolUsage", ctypes.c_size_t),
            ("QuotaPagedPoolUsage", ctypes.c_size_t),
            ("QuotaPeakNonPagedPoolUsage", ctypes.c_size_t),
            ("QuotaNonPagedPoolUsage", ctypes.c_size_t),
            ("PagefileUsage", ctypes.c_size_t),
            ("PeakPagefileUsage", ctypes.c_size_t),
        )

    _kernel.OpenProcess.restype = wintypes.HANDLE
    _kernel.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
    _kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
    _kernel.TerminateProcess.argtypes = (wintypes.HANDLE, wintypes.UINT)
    _kernel.GetExitCodeProcess.argtypes = (wintypes.HANDLE, ctypes.POINTER(wintypes.DWORD))
    _kernel.GetProcessTimes.argtypes = (wintypes.HANDLE, *(ctypes.POINTER(wintypes.FILETIME),) * 4)
    _kernel.CreateToolhelp32Snapshot.restype = wintypes.HANDLE
    _kernel.Process32FirstW.argtypes = (wintypes.HANDLE, ctypes.POINTER(_ProcessEntry))
    _kernel.Process32NextW.argtypes = (wintypes.HANDLE, ctypes.POINTER(_ProcessEntry))
    _kernel.K32GetProcessMemoryInfo.argtypes = (
        wintypes.HANDLE,
        ctypes.POINTER(_MemoryCounters),
        wintypes.DWORD,
    )
    _kernel.DeviceIoControl.argtypes = (
        wintypes.HANDLE,
        wintypes.DWORD,
        ctypes.c_void_p,
        wintypes.DWORD,
        ctypes.c_void_p,
        wintypes.DWORD,
        ctypes.POINTER(wintypes.DWORD),
        ctypes.c_void_p,
    )
    _kernel.GetTickCount64.restype = ctypes.c_uint64
    _kernel.LockFileEx.argtypes = (
        wintypes.HANDLE,
        wintypes.DWORD,
        wintypes.DWORD,
        wintypes.DWORD,
        wintypes.DWORD,
        ctypes.POINTER(_Overlapped),
    )

    class FileLock:
        """An exclusive lock on a file, held until released or until this process ends, however it ends."""

        def __init__(self, descriptor: int) -> None:
            #: The file, open for reading and writing; closed with the lock's release.
            self.descriptor = descriptor

        @classmethod
        def acquire(cls, path: Path | str) -> FileLock | None:
            """Take the lock, or return None when another process holds it. Makes the file if needed."""
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_BINARY | os.O_NOINHERIT, 0o600)
            if not _lock(descriptor, _LOCKFILE_EXCLUSIVE_LOCK | _LOCKFILE_FAIL_IMMEDIATELY):
                os.close(descriptor)
                return None
            return cls(descriptor)

        def release(self) -> None:
            """Give the lock back."""
            os.close(self.descriptor)

    def is_locked(path: Path | str) -> bool:
        """Whether a living process holds the lock; a missing file is not locked."""
        return not _try_shared(path, _LOCKFILE_FAIL_IMMEDIATELY)

    def wait_unlocked(path: Path | str) -> None:
        """Wait in the kernel until no process holds the lock: no polling, and no PID that could be reused."""
        _try_shared(path, 0)

    def _try_shared(path: Path | str, flags: int) -> bool:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_BINARY | os.O_NOINHERIT)
        except FileNotFoundError:
            return True
        try:
            return _lock(descriptor, flags)
        finally:
            os.close(descriptor)

    def _lock(descriptor: int, flags: int) -> bool:
        """Lock one byte far beyond the end of any file: what is locked nobody else can read."""
        where = _Overlapped(OffsetHigh=_LOCKED_OFFSET_HIGH)
        handle = msvcrt.get_osfhandle(descriptor)
        return bool(_kernel.LockFileEx(handle, flags, 0, 1, 0, ctypes.byref(where)))

    def boot_id() -> str:
        """Return the moment of the boot, to ten seconds: Windows gives the boot no name of its own."""
        import time

        booted = time.time() - _kernel.GetTickCount64() / 1000
        return f"boot-{round(booted / 10)}"

    def process_start_time(pid: int) -> float | None:
        """Return when the process started, in a unit that only compares; None when there is none."""
        handle = _kernel.OpenProcess(_PROCESS_QUERY_LIMITED_INFORMATION, False, pid)
        if not handle:
            return None
        try:
            return None if not _is_active(handle) else _times(handle)[0]
        finally:
            _kernel.CloseHandle(handle)

    def is_same_process(pid: int, start: float) -> bool:
        """Whether `pid` is still the process that started at `start`, and not a later one of that number."""
        return process_start_time(pid) == start

    def stop_process(pid: int, start: float, *, kill: bool = False) -> bool:
        """End a process with `kill`; there is no TERM here, so without it the process has to look for itself."""
        if not kill or not is_same_process(pid, start):
            return False
        kill_pids([pid])
        return True

    def exit_descriptor(pid: int) -> int | None:
        """Return None: no loop waits for a process handle here, but a thread for the run's lock."""
        return None

    def spawn_detached(command: Sequence[str], *, env: Mapping[str, str], cwd: str, stdout: Path) -> int:
        """Start a process without a console, output appended to `stdout`; return its pid."""
        with stdout.open("ab") as output:
            started = popen_detached(
                command,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output.fileno(),
                stderr=subprocess.STDOUT,
            )
        started.returncode = 0
        return started.pid

    def popen_detached(
        command: Sequence[str], *, env: Mapping[str, str], cwd: str, stdin: int, stdout: int, stderr: int
    ) -> subprocess.Popen[bytes]:
        """Start a process without a console, outside of this one's Job Object where that lets children leave."""
        flags = _DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        try:
            return _popen(command, env, cwd, (stdin, stdout, stderr), flags | _CREATE_BREAKAWAY_FROM_JOB)
        except PermissionError:
            return _popen(command, env, cwd, (stdin, stdout, stderr), flags)

    def leave(started: subprocess.Popen[bytes]) -> None:
        """Have done with a detached process, which goes on; without this, Python warns that it was forgotten."""
        started.returncode = 0

    def _popen(
        command: Sequence[str], env: Mapping[str, str], cwd: str, streams: tuple[int, int, int], flags: int
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            list(command),
            env=dict(env),
            cwd=cwd,
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            creationflags=flags,
        )

    def tree(roots: Iterable[int]) -> list[int]:
        """Return the living descendants of `roots`, without the roots.

        A parent's number may be another process's by now; but no child is older than its parent.
        """
        children: dict[int, list[int]] = {}
        for pid, parent in _snapshot():
            children.setdefault(parent, []).append(pid)
        found: list[int] = []
        waiting = list(roots)
        while waiting:
            waiting = [c for pid in waiting for c in children.get(pid, ()) if _is_younger(c, pid)]
            found += waiting
        return found

    def _usage(pids: Iterable[int]) -> tuple[float, int]:
        """Return CPU seconds and resident bytes of these processes together."""
        found = [_figures(pid) for pid in pids]
        return sum(seconds for _, seconds, _ in found), sum(memory for _, _, memory in found)

    def process_table() -> list[tuple[int, int, float, float, int]]:
        """Return pid, parent, CPU seconds, 0 for its ended children, and resident bytes of every process.

        A parent that is younger than its child is another process, which got the number of the one that ended.
        """
        rows = [(pid, parent, *_figures(pid)) for pid, parent in _snapshot()]
        born = {pid: start for pid, _, start, _, _ in rows}
        return [
            (pid, parent if born.get(parent, 0.0) <= start else 0, seconds, 0.0, memory)
            for pid, parent, start, seconds, memory in rows
        ]

    def held_still(pids: Iterable[int]) -> list[int]:
        """Return none: no signal holds a process still here."""
        del pids
        return []

    def tree_size(roots: Iterable[int]) -> tuple[int, int]:
        """Return the resident bytes and the number of all descendants of `roots`."""
        found = tree(roots)
        return _usage(found)[1], len(found)

    def tree_anonymous_bytes(pids: Iterable[int]) -> int:
        """Return the resident bytes: Windows has no figure that divides shared pages."""
        return _usage(pids)[1]

    def find_by_cookie(name: str, value: str) -> list[int]:
        """Return processes by a variable of their environment: not to be had here, the Job Object does it."""
        return []

    def sweep(name: str, value: str, *, limit_seconds: float, group: str = "") -> list[int]:
        """Kill what a shim left behind: nothing, since its Job Object ended all when it ended."""
        return []

    def out_of_memory_kills() -> int:
        """Return 0: Windows refuses memory and kills nobody for want of it."""
        return 0

    def task_count() -> int:
        """Return 0: a Job Object holds the number of processes by itself."""
        return 0

    def punch_hole(descriptor: int, start: int, end: int) -> bool:
        """Give the file's disk space between the offsets back, offsets unchanged; False where impossible."""
        handle = msvcrt.get_osfhandle(descriptor)
        zeros = (ctypes.c_int64 * 2)(start, end)
        return _control(handle, _FSCTL_SET_SPARSE, None, 0) and _control(
            handle, _FSCTL_SET_ZERO_DATA, zeros, ctypes.sizeof(zeros)
        )

    def _control(handle: int, code: int, data: ctypes.Array[ctypes.c_int64] | None, size: int) -> bool:
        count = wintypes.DWORD()
        return bool(_kernel.DeviceIoControl(handle, code, data, size, None, 0, ctypes.byref(count), None))

    def kill_pids(pids: Iterable[int]) -> None:
        """Kill these processes; those that are gone already are no error."""
        for pid in pids:
            handle = _kernel.OpenProcess(_PROCESS_TERMINATE, False, pid)
            if handle:
                _kernel.TerminateProcess(handle, 1)
                _kernel.CloseHandle(handle)

    def _is_active(handle: int) -> bool:
        code = wintypes.DWORD()
        return bool(_kernel.GetExitCodeProcess(handle, ctypes.byref(code))) and code.value == _STILL_ACTIVE

    def _times(handle: int) -> tuple[float, float]:
        """Return the start, and the CPU seconds so far."""
        created, ended, kernel, user = (wintypes.FILETIME() for _ in range(4))
        _kernel.GetProcessTimes(
            handle, ctypes.byref(created), ctypes.byref(ended), ctypes.byref(kernel), ctypes.byref(user)
        )
        start, spent = _ticks(created), _ticks(kernel) + _ticks(user)
        return start / _TICKS_A_SECOND, spent / _TICKS_A_SECOND

    def _figures(pid: int) -> tuple[float, float, int]:
        """Return a process' start, its CPU seconds and its resident bytes; zeros where it may not be looked at."""
        handle = _kernel.OpenProcess(_PROCESS_QUERY_LIMITED_INFORMATION | _PROCESS_VM_READ, False, pid)
        if not handle:
            return 0.0, 0.0, 0
        try:
            start, seconds = _times(handle)
            counters = _MemoryCounters(cb=ctypes.sizeof(_MemoryCounters))
            has_memory = _kernel.K32GetProcessMemoryInfo(handle, ctypes.byref(counters), counters.cb)
            return start, seconds, int(counters.WorkingSetSize) if has_memory else 0
        finally:
            _kernel.CloseHandle(handle)

    def _ticks(time: wintypes.FILETIME) -> int:
        return (time.dwHighDateTime << 32) | time.dwLowDateTime

    def _snapshot() -> list[tuple[int, int]]:
        handle = _kernel.CreateToolhelp32Snapshot(_SNAPSHOT_PROCESSES, 0)
        entry = _ProcessEntry(dwSize=ctypes.sizeof(_ProcessEntry))
        found: list[tuple[int, int]] = []
        try:
            more = _kernel.Process32FirstW(handle, ctypes.byref(entry))
            while more:
                found.append((entry.th32ProcessID, entry.th32ParentProcessID))
                more = _kernel.Process32NextW(handle, ctypes.byref(entry))
        finally:
            _kernel.CloseHandle(handle)
        return found

    def _is_younger(child: int, parent: int) -> bool:
        born, parent_born = process_start_time(child), process_start_time(parent)
        return born is not None and (parent_born is None or born >= parent_born)
