"""`gpu_busy`, `gpu_busy 30%`: while programs that are not our runs work on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from runyard_cluster.pause.rule import Own

#: Percent of a GPU's time from which on it counts as busy when the setting names none: a desktop stays below.
BUSY_PERCENT = 30


class Nvml(Protocol):
    """The part of the module `pynvml` that is used here."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> Any: ...  # noqa: N802 - NVML's own names
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: N802
    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any: ...  # noqa: N802
    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any) -> Any: ...  # noqa: N802
    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Any: ...  # noqa: N802


class GpuBusy:
    """Holds while a GPU computes for others, or works above `percent` with none of our runs on it.

    With `only_by_use`, a program that holds the GPU and lets it stand idle, as a notebook does, does not count.
    """

    def __init__(
        self,
        percent: int = BUSY_PERCENT,
        *,
        only_by_use: bool = False,
        load: Callable[[], Nvml] | None = None,
        parents: Callable[[int], list[int] | None] | None = None,
    ) -> None:
        """`parents` returns a process and its ancestors, None for one that cannot be seen from here."""
        self._percent = percent
        self._only_by_use = only_by_use
        self._load = load or _pynvml
        self._parents = parents or _lineage

    def holds(self, own: Own) -> str | None:
        """Name the GPU and who is on it."""
        return next(
            (why for index, handle in self._gpus() if (why := self._of_gpu(index, handle, own))), None
        )

    def missing(self) -> str | None:
        """Say so where NVML tells of no GPU."""
        return None if any(True for _ in self._gpus()) else "no NVIDIA GPU, or no driver, is seen here"

    def _gpus(self) -> Iterator[tuple[int, Any]]:
        try:
            nvml = self._load()
        except (ImportError, OSError):
            return
        try:
            # Starting it again while it runs costs nothing, and a driver may have been loaded meanwhile.
            nvml.nvmlInit()
            for index in range(nvml.nvmlDeviceGetCount()):
                yield index, nvml.nvmlDeviceGetHandleByIndex(index)
        except nvml.NVMLError:
            return

    def _of_gpu(self, index: int, handle: Any, own: Own) -> str | None:
        nvml = self._load()
        if not self._only_by_use:
            try:
                processes = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
            except nvml.NVMLError:
                processes = []
            pid = next((p.pid for p in processes if self._is_foreign(int(p.pid), index, own)), None)
            if pid is not None:
                return f"while another program computes on GPU {index} (process {pid})"
        if index in own.gpus:
            return None  # How much of its work is for others is not told.
        try:
            used = int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        except nvml.NVMLError:
            return None
        return f"while others keep GPU {index} {used} % busy" if used > self._percent else None

    def _is_foreign(self, pid: int, index: int, own: Own) -> bool:
        lineage = self._parents(pid)
        if lineage is None:
            # In a container NVML tells of the host's processes: ours are among them, by other numbers.
            return index not in own.gpus
        return own.pids.isdisjoint(lineage)


def _lineage(pid: int) -> list[int] | None:
    import psutil  # Settings are read more often than GPUs.

    try:
        process = psutil.Process(pid)
        return [pid, *(parent.pid for parent in process.parents())]
    except psutil.Error:
        return None


def _pynvml() -> Nvml:
    import pynvml

    module: Nvml = pynvml
    return module
