"""Owning a process tree on Windows: a Job Object that holds it, limits it, and ends it when the shim ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from runyard_actors import attempt_file
from runyard_actors.shim import _start_error
from runyard_actors.shim.spec import ShimSpec

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)

    _CREATE_SUSPENDED = 0x00000004
    _CREATE_NO_WINDOW = 0x08000000
    _JOB_EXTENDED_LIMITS = 9
    _JOB_ACCOUNTING = 1
    _JOB_PROCESSES = 3
    _PROCESS_SUSPEND_RESUME = 0x0800
    _LIMIT_ACTIVE_PROCESSES = 0x00000008
    _LIMIT_PRIORITY_CLASS = 0x00000020
    _BELOW_NORMAL_PRIORITY = 0x00004000
    #: How many processes of a job can be held still; those beyond run on.
    _LISTED_PROCESSES = 8192
    _LIMIT_JOB_MEMORY = 0x00000200
    _LIMIT_KILL_ON_CLOSE = 0x00002000
    _LIMIT_DIE_ON_EXCEPTION = 0x00000400
    _TICKS_A_SECOND = 10_000_000
    _ERROR_WORDS = {
        2: "program not found",
        3: "program not found",
        5: "not executable",
        193: "not executable",
    }
    LOOK_SECONDS = 0.02
    WAIT_SLICE_SECONDS = 0.25

    class _BasicLimits(ctypes.Structure):
        _fields_ = (
            ("PerProcessUserTimeLimit", wintypes.LARGE_INTEGER),
            ("PerJobUserTimeLimit", wintypes.LARGE_INTEGER),
            ("LimitFlags", wintypes.DWORD),
            ("MinimumWorkingSetSize", ctypes.c_size_t),
            ("MaximumWorkingSetSize", ctypes.c_size_t),
            ("ActiveProcessLimit", wintypes.DWORD),
            ("Affinity", ctypes.c_size_t),
            ("PriorityClass", wintypes.DWORD),
            ("SchedulingClass", wintypes.DWORD),
        )

    class _ExtendedLimits(ctypes.Structure):
        _fields_ = (
            ("Basic", _BasicLimits),
            ("IoInfo", ctypes.c_uint64 * 6),
            ("ProcessMemoryLimit", ctypes.c_size_t),
            ("JobMemoryLimit", ctypes.c_size_t),
            ("PeakProcessMemoryUsed", ctypes.c_size_t),
            ("PeakJobMemoryUsed", ctypes.c_size_t),
        )

    class _Accounting(ctypes.Structure):
        _fields_ = (
            ("TotalUserTime", wintypes.LARGE_INTEGER),
            ("TotalKernelTime", wintypes.LARGE_INTEGER),
            ("ThisPeriodTotalUserTime", wintypes.LARGE_INTEGER),
            ("ThisPeriodTotalKernelTime", wintypes.LARGE_INTEGER),
            ("TotalPageFaultCount", wintypes.DWORD),
            ("TotalProcesses", wintypes.DWORD),
            ("ActiveProcesses", wintypes.DWORD),
            ("TotalTerminatedProcesses", wintypes.DWORD),
        )

    class _ProcessList(ctypes.Structure):
        _fields_ = (
            ("Assigned", wintypes.DWORD),
            ("Listed", wintypes.DWORD),
            ("Pids", ctypes.c_size_t * _LISTED_PROCESSES),
        )

    _kernel.CreateJobObjectW.restype = wintypes.HANDLE
    _kernel.CreateJobObjectW.argtypes = (ctypes.c_void_p, wintypes.LPCWSTR)
    _kernel.SetInformationJobObject.argtypes = (
        wintypes.HANDLE,
        ctypes.c_int,
        ctypes.c_void_p,
        wintypes.DWORD,
    )
    _kernel.QueryInformationJobObject.argtypes = (
        wintypes.HANDLE,
        ctypes.c_int,
        ctypes.c_void_p,
        wintypes.DWORD,
        ctypes.c_void_p,
    )
    _kernel.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
    _kernel.OpenProcess.restype = wintypes.HANDLE
    _kernel.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
    _kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
    _kernel.TerminateJobObject.argtypes = (wintypes.HANDLE, wintypes.UINT)

    def name_process(name: str) -> None:
        """A process is known by its program here; there is nothing to name."""

    def leave_parent() -> None:
        """The launching process started this one outside of its Job Object; there is nothing more to leave."""

    def be_guarded(guardian: int) -> None:
        """The Job Object ends what a killed shim leaves behind; nobody else has to."""

    class WindowsTree:
        """The module's process, and the Job Object with every process that comes of it.

        The job ends all of them when this process ends, however it ends, and holds the memory limit by itself.
        """

        def __init__(self) -> None:
            self.pid = 0
            self.cookie = ""
            self.exit_code: int | None = None
            self.signal: int | None = None
            #: A request is seen between two slices of waiting; nothing cuts one short.
            self.is_nudged = False
            #: The tree's control group: Windows has none, it has the job.
            self.group = ""
            self.enforcement = {
                "memory": "job_object",
                "cpu": "priority",
                "gpu_memory": "none",
                "tree": "job_object",
                "processes": "job_object",
            }
            self._held: set[int] = set()
            self._job = _new_job()
            self._process: subprocess.Popen[bytes] | None = None

        def spawn(self, spec: ShimSpec) -> str:
            """Start the module suspended, put it into its job, let it go; return why that failed, or nothing."""
            if not os.path.isdir(spec.cwd):
                kind = "is not a folder" if os.path.exists(spec.cwd) else "not found"
                return f"cwd {kind}: {spec.cwd}"
            missing = _start_error.missing_script(spec)
            if missing:
                return missing
            _limit(self._job, spec.memory_bytes, spec.max_processes)
            try:
                started = _start_suspended(spec)
            except (OSError, ValueError) as error:
                return _words(spec.command[0], error)
            handle = int(started._handle)  # type: ignore[attr-defined] # Popen offers no other way to it
            if not _kernel.AssignProcessToJobObject(self._job, handle):
                started.kill()
                return f"the process could not be put into a Job Object (error {ctypes.get_last_error()})"
            ctypes.WinDLL("ntdll").NtResumeProcess(wintypes.HANDLE(handle))
            self._process, self.pid = started, started.pid
            return ""

        @property
        def cpu_seconds(self) -> float:
            """The CPU seconds of the whole tree, ended processes included."""
            found = self._accounting()
            return float(found.TotalUserTime + found.TotalKernelTime) / _TICKS_A_SECOND

        def wait(self, seconds: float) -> bool:
            """Wait for the main process's end; return whether it has ended. Slices let a stop file be seen."""
            if self._process is None:
                return False
            try:
                code = self._process.wait(min(seconds, WAIT_SLICE_SECONDS))
            except subprocess.TimeoutExpired:
                return False
            self.exit_code = code & 0xFFFFFFFF
            return True

        def size(self) -> tuple[int, int]:
            """Return the most bytes that the tree has committed so far, and its number of processes."""
            return int(self._limits().PeakJobMemoryUsed), int(self._accounting().ActiveProcesses)

        def confirmed_memory(self) -> int:
            """Return the same: it is exact."""
            return self.size()[0]

        def peak(self, sampled: int) -> int:
            """Return the peak of the whole tree."""
            return max(sampled, self.size()[0])

        def has_passed_its_memory(self) -> bool:
            """Return False: beyond its limit a job is refused memory, and nobody is killed."""
            return False

        def out_of_memory_kills(self) -> int:
            """Return 0: Windows refuses memory and kills nobody for want of it."""
            return 0

        def suspend(self) -> None:
            """Hold the whole tree still; to be repeated, for what was born meanwhile."""
            while fresh := self._pids() - self._held:
                for pid in fresh:
                    _tell(pid, "NtSuspendProcess")
                self._held |= fresh

        def resume(self) -> None:
            """Let the whole tree go on: each process once, as Windows counts how often it was held."""
            for pid in self._held & self._pids():
                _tell(pid, "NtResumeProcess")
            self._held.clear()

        def close(self) -> None:
            """The job goes with this process; there is nothing to remove."""

        def terminate(self) -> None:
            """Ask the module's console group to end; a program that does not listen for Ctrl-Break ends at once."""
            try:
                os.kill(self.pid, signal.CTRL_BREAK_EVENT)
            except OSError:
                pass

        def kill(self) -> None:
            """End the whole tree at once."""
            _kernel.TerminateJobObject(self._job, 1)

        def end(self, kill_at: float | None) -> int:
            """End all that the module left behind, until nothing of it lives; return how many there were."""
            count = int(self._accounting().ActiveProcesses)
            while self._accounting().ActiveProcesses:
                if kill_at is None or time.monotonic() >= kill_at:
                    self.kill()
                time.sleep(LOOK_SECONDS)
            return count

        def _pids(self) -> set[int]:
            found = _ProcessList()
            _query(self._job, _JOB_PROCESSES, found)
            return set(found.Pids[: found.Listed])

        def _limits(self) -> _ExtendedLimits:
            found = _ExtendedLimits()
            _query(self._job, _JOB_EXTENDED_LIMITS, found)
            return found

        def _accounting(self) -> _Accounting:
            found = _Accounting()
            _query(self._job, _JOB_ACCOUNTING, found)
            return found

    def _new_job() -> int:
        return int(_kernel.CreateJobObjectW(None, None))

    def _limit(job: int, memory_bytes: int, max_processes: int) -> None:
        """Have the job hold what it can; its processes yield to what people use."""
        limits = _ExtendedLimits()
        limits.Basic.LimitFlags = _LIMIT_KILL_ON_CLOSE | _LIMIT_DIE_ON_EXCEPTION | _LIMIT_PRIORITY_CLASS
        limits.Basic.PriorityClass = _BELOW_NORMAL_PRIORITY
        if max_processes:
            limits.Basic.LimitFlags |= _LIMIT_ACTIVE_PROCESSES
            limits.Basic.ActiveProcessLimit = max_processes
        if memory_bytes:
            limits.Basic.LimitFlags |= _LIMIT_JOB_MEMORY
            limits.JobMemoryLimit = memory_bytes
        _kernel.SetInformationJobObject(
            job, _JOB_EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)
        )

    def _tell(pid: int, call: str) -> None:
        handle = _kernel.OpenProcess(_PROCESS_SUSPEND_RESUME, False, pid)
        if handle:
            getattr(ctypes.WinDLL("ntdll"), call)(wintypes.HANDLE(handle))
            _kernel.CloseHandle(handle)

    def _start_suspended(spec: ShimSpec) -> subprocess.Popen[bytes]:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_BINARY
        log = os.open(attempt_file.LOG, flags, 0o600)
        try:
            return subprocess.Popen(
                list(spec.command),
                cwd=spec.cwd,
                env=spec.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                creationflags=_CREATE_SUSPENDED | _CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP,
            )
        finally:
            os.close(log)

    def _words(program: str, error: OSError | ValueError) -> str:
        if isinstance(error, ValueError):
            return f"{program} could not be started: {error}"
        known = _ERROR_WORDS.get(error.winerror or 0, "could not be started")
        return f"{known}: {program} ({error.strerror})"

    def _query(job: int, kind: int, into: ctypes.Structure) -> None:
        _kernel.QueryInformationJobObject(job, kind, ctypes.byref(into), ctypes.sizeof(into), None)
