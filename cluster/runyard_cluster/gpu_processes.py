"""What each process uses of this machine's GPUs, as NVML tells it, and where it does not tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import psutil

from runyard_cluster.gpu import Gpu, GpuReader, Nvml, error_number

#: NVML's own numbers: there was no sample since the last look; this GPU, or this driver, cannot tell or may not.
_SUCCESS, _NO_SAMPLE = 0, 6
_CANNOT_TELL = (3, 4, 13)
#: An NVML that does not start is tried again after so long: looking for its library takes milliseconds.
TRY_SECONDS = 10.0
#: The calls that list processes of a GPU. One may be in several lists, with the same figure in each.
_LISTS = (
    "nvmlDeviceGetComputeRunningProcesses",
    "nvmlDeviceGetGraphicsRunningProcesses",
    "nvmlDeviceGetMPSComputeRunningProcesses",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuProcess:
    """One process on one GPU: bytes of its memory, and percent of the time that it kept it busy; None: not told."""

    pid: int
    gpu: int
    memory: int | None
    percent: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuLook:
    """The GPUs at one moment. `lost` says of each GPU that is lost why; `busy_percent` is that of whole GPUs.

    `blind`: GPUs whose driver does not tell the memory of single processes, as under Windows' WDDM.
    """

    gpus: tuple[Gpu, ...] = ()
    lost: dict[int, str] = field(default_factory=dict)
    processes: tuple[GpuProcess, ...] = ()
    busy_percent: dict[int, float | None] = field(default_factory=dict)
    blind: frozenset[int] = frozenset()


class GpuMeter:
    """Looks at GPUs and their processes again and again; one a node, since NVML is slow and its samples are shared."""

    def __init__(
        self, reader: GpuReader | None = None, *, is_here: Callable[[int], bool] = psutil.pid_exists
    ) -> None:
        """`is_here` says whether a process of that number can be seen from here."""
        self._reader = reader or GpuReader()
        self._seen_until: dict[int, int] = {}
        self._blind: set[int] = set()
        self._is_here = is_here
        self._strangers: dict[int, set[int]] = {}
        #: When an NVML that did not start is tried again, on the monotonic clock.
        self._try_at = 0.0

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the GPUs, or with what reads them, each told once."""
        return tuple(self._reader.warnings)

    @property
    def is_absent(self) -> bool:
        """Whether there is no NVML at all."""
        return self._reader.is_absent

    def look(self) -> GpuLook:
        """Return how everything stands now. Raises nothing: what NVML cannot tell is left out."""
        if time.monotonic() < self._try_at:
            return GpuLook(lost=self._reader.lost)
        gpus = self._reader.read()
        nvml = self._reader.nvml
        if nvml is None:
            self._try_at = time.monotonic() + TRY_SECONDS
            return GpuLook(lost=self._reader.lost)
        processes: list[GpuProcess] = []
        busy: dict[int, float | None] = {}
        for gpu in gpus:
            try:
                handle = nvml.nvmlDeviceGetHandleByIndex(gpu.index)
            except nvml.NVMLError:
                continue  # Lost between the two calls; the next look tells.
            processes += self._processes(nvml, gpu.index, handle)
            busy[gpu.index] = _busy_percent(nvml, handle)
        return GpuLook(
            gpus=gpus,
            lost=dict(self._reader.lost),
            processes=tuple(processes),
            busy_percent=busy,
            blind=frozenset(self._blind),
        )

    def _processes(self, nvml: Nvml, gpu: int, handle: Any) -> Iterable[GpuProcess]:
        memory = self._memory(nvml, gpu, handle)
        self._look_for_strangers(gpu, memory)
        percents = self._percents(nvml, gpu, handle)
        for pid in memory:
            percent = None if percents is None else percents.get(pid, 0.0)
            yield GpuProcess(pid=pid, gpu=gpu, memory=memory[pid], percent=percent)

    def _memory(self, nvml: Nvml, gpu: int, handle: Any) -> dict[int, int | None]:
        lists = [self._listed(nvml, name, gpu, handle) for name in _LISTS]
        found: dict[int, int | None] = {}
        for each in (row for rows in lists for row in rows):
            used = each.usedGpuMemory
            if used is None:
                self._note_blind(gpu)
                found.setdefault(each.pid, None)
            else:
                found[each.pid] = max(found.get(each.pid) or 0, int(used))
        return found

    def _listed(self, nvml: Nvml, name: str, gpu: int, handle: Any) -> Iterable[Any]:
        try:
            rows: Iterable[Any] = getattr(nvml, name)(handle)
        except nvml.NVMLError as error:
            if name == _LISTS[0] and error_number(error) in _CANNOT_TELL:
                self._note_blind(gpu)
            return ()
        return rows

    def _note_blind(self, gpu: int) -> None:
        self._blind.add(gpu)
        self._reader.tell(
            f"blind {gpu}",
            f"GPU {gpu} does not tell how much memory each process uses, as under Windows' WDDM: "
            "gpu_memory is counted when runs start, and not enforced on it",
        )

    def _look_for_strangers(self, gpu: int, pids: Iterable[int]) -> None:
        """NVML goes by the numbers of the host; in a container with its own, ours would seem to use nothing."""
        before, now = self._strangers.get(gpu, set()), {pid for pid in pids if not self._is_here(pid)}
        self._strangers[gpu] = now
        # One that has just ended may still be listed, but not for long.
        if before & now:
            self._blind.add(gpu)
            self._reader.tell(
                f"strangers {gpu}",
                f"GPU {gpu} names processes by numbers that are none here, as in a container without the host's "
                "(docker run --pid=host): gpu_memory is counted when runs start, and not enforced on it",
            )

    def _percents(self, nvml: Nvml, gpu: int, handle: Any) -> dict[int, float] | None:
        """Return the mean of what was sampled of each process since the last look; None where nothing is sampled."""
        try:
            samples = nvml.nvmlDeviceGetProcessUtilization(handle, self._seen_until.get(gpu, 0))
        except nvml.NVMLError as error:
            return {} if error_number(error) in (_SUCCESS, _NO_SAMPLE) else None
        by_pid: dict[int, list[float]] = {}
        for sample in samples:
            by_pid.setdefault(int(sample.pid), []).append(float(sample.smUtil))
            self._seen_until[gpu] = max(self._seen_until.get(gpu, 0), int(sample.timeStamp))
        return {pid: sum(values) / len(values) for pid, values in by_pid.items()}


def _busy_percent(nvml: Nvml, handle: Any) -> float | None:
    try:
        return float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    except nvml.NVMLError:
        return None
