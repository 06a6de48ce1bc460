"""The GPUs of this machine, read through NVML, whatever state NVML is in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

#: NVML's own numbers for what may be wrong.
_UNINITIALIZED = 1
_NOT_SUPPORTED = 3
_DRIVER_NOT_LOADED = 9
_LIBRARY_NOT_FOUND = 12
_FUNCTION_NOT_FOUND = 13
_GPU_IS_LOST = 15
_RESET_REQUIRED = 16
_VERSION_MISMATCH = 18
_GPU_NOT_FOUND = 28

#: What NVML says of a GPU that was there and will do no work any more, and what brings it back.
_GONE = {
    _GPU_IS_LOST: "it is lost; restart the machine",
    _RESET_REQUIRED: "it has to be reset (nvidia-smi --gpu-reset), or restart the machine",
    _GPU_NOT_FOUND: "it is not found any more; restart the machine",
}

#: What is wrong with NVML as a whole, in words that say what to do.
_NO_NVML = {
    _LIBRARY_NOT_FOUND: "no NVIDIA driver is installed here",
    _DRIVER_NOT_LOADED: "the NVIDIA driver is not loaded; load it, or restart the machine",
    _VERSION_MISMATCH: "the NVIDIA driver was updated and its old version is still loaded; restart the machine",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU. Sizes in bytes; `free_bytes` is what no program uses right now. Both 0: it does not tell."""

    index: int
    uuid: str
    name: str
    memory_bytes: int
    free_bytes: int


class Nvml(Protocol):
    """The part of the module `pynvml` that is used here; its errors carry NVML's number in `value`."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> Any: ...  # noqa: N802 - NVML's own names
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: N802
    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any: ...  # noqa: N802
    def nvmlDeviceGetUUID(self, handle: Any) -> str | bytes: ...  # noqa: N802
    def nvmlDeviceGetName(self, handle: Any) -> str | bytes: ...  # noqa: N802
    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any: ...  # noqa: N802
    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Any: ...  # noqa: N802
    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any) -> Any: ...  # noqa: N802
    def nvmlDeviceGetGraphicsRunningProcesses(self, handle: Any) -> Any: ...  # noqa: N802
    def nvmlDeviceGetMPSComputeRunningProcesses(self, handle: Any) -> Any: ...  # noqa: N802
    def nvmlDeviceGetProcessUtilization(self, handle: Any, since: int) -> Any: ...  # noqa: N802


class GpuReader:
    """Reads GPUs again and again; each trouble is told once, in `warnings`, and costs only what it concerns."""

    def __init__(self, load: Callable[[], Nvml] | None = None) -> None:
        self._load = load or _pynvml
        self._nvml: Nvml | None = None
        self._told: set[str] = set()
        self.warnings: list[str] = []
        #: Whether there is no NVML at all, as on a machine that never had a GPU of NVIDIA.
        self.is_absent = False
        #: GPUs that NVML says are lost, by their index, and in words what happened to each; as of the last read.
        self.lost: dict[int, str] = {}

    @property
    def nvml(self) -> Nvml | None:
        """NVML itself while it works; None before the first read, and while it does not."""
        return self._nvml

    def read(self) -> tuple[Gpu, ...]:
        """Return the GPUs that answer; none when NVML is missing or broken."""
        nvml = self._nvml = self._nvml or self._started()
        if nvml is None:
            return ()
        try:
            count = nvml.nvmlDeviceGetCount()
        except nvml.NVMLError as error:
            self._give_up(error)
            return ()
        self.lost = {}
        found = (self._gpu(nvml, index) for index in range(count))
        return tuple(gpu for gpu in found if gpu is not None)

    def _started(self) -> Nvml | None:
        try:
            nvml = self._load()
        except (ImportError, OSError) as error:
            self.is_absent = True
            self.tell("load", f"no GPU is used: the module pynvml cannot be used: {error}")
            return None
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:
            self._give_up(error)
            return None
        return nvml

    def _give_up(self, error: Exception) -> None:
        """Forget NVML, so that the next read starts it anew: a driver may be loaded while we run."""
        self._nvml = None
        number = error_number(error)
        self.is_absent = number == _LIBRARY_NOT_FOUND
        if number != _UNINITIALIZED:
            self.tell(f"NVML {number}", f"no GPU is used: {_NO_NVML.get(number, f'NVML says: {error}')}")

    def _gpu(self, nvml: Nvml, index: int) -> Gpu | None:
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            total, free = self._memory(nvml, index, handle)
            return Gpu(
                index=index,
                uuid=_text(nvml.nvmlDeviceGetUUID(handle)),
                name=_text(nvml.nvmlDeviceGetName(handle)),
                memory_bytes=total,
                free_bytes=free,
            )
        except nvml.NVMLError as error:
            why = _GONE.get(number := error_number(error), f"NVML says: {error}")
            if number in _GONE:
                self.lost[index] = why
            self.tell(f"GPU {index} {number}", f"GPU {index} is not used: {why}")
            return None

    def _memory(self, nvml: Nvml, index: int, handle: Any) -> tuple[int, int]:
        """Return a GPU's memory and what is free of it; 0 for one that shares the machine's own memory."""
        try:
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        except nvml.NVMLError as error:
            if error_number(error) not in (_NOT_SUPPORTED, _FUNCTION_NOT_FOUND):
                raise
            self.tell(
                f"memory {index}", f"GPU {index} does not tell its memory: gpu_memory cannot be asked of it"
            )
            return 0, 0
        return int(memory.total), int(memory.free)

    def tell(self, key: str, words: str) -> None:
        """Add a warning, unless there was one of that key before."""
        if key not in self._told:
            self._told.add(key)
            self.warnings.append(words)


def visible_gpus(gpus: Sequence[Gpu], variable: str | None) -> tuple[Gpu, ...]:
    """Return the GPUs that `CUDA_VISIBLE_DEVICES` leaves over: all when it is None, none when it is empty.

    As in CUDA, a GPU is named by its index or the beginning of its UUID, and the first name that fits
    none ends the list.
    """
    if variable is None:
        return tuple(gpus)
    found: dict[int, Gpu] = {}
    for name in (part.strip() for part in variable.split(",")):
        matching = [gpu for gpu in gpus if _is_named(gpu, name)]
        if len(matching) != 1:
            break
        found[matching[0].index] = matching[0]
    return tuple(found[index] for index in sorted(found))


def _is_named(gpu: Gpu, name: str) -> bool:
    if name.isascii() and name.isdecimal():
        return gpu.index == int(name)
    return name.startswith("GPU-") and gpu.uuid.startswith(name)


def _pynvml() -> Nvml:
    import pynvml

    module: Nvml = pynvml
    return module


def error_number(error: Exception) -> int:
    """Return NVML's number for what went wrong."""
    return int(getattr(error, "value", -1))


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
