"""The GPUs of this machine, read through NVML, whatever state NVML is in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU. Sizes in bytes; `free_bytes` is what no program uses right now."""

    index: int
    uuid: str
    name: str
    memory_bytes: int
    free_bytes: int


class Nvml(Protocol):
    """The part of the module `pynvml` that is used here."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> Any: ...  # noqa: N802 - NVML's own names
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: N802
    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any: ...  # noqa: N802
    def nvmlDeviceGetUUID(self, handle: Any) -> str | bytes: ...  # noqa: N802
    def nvmlDeviceGetName(self, handle: Any) -> str | bytes: ...  # noqa: N802
    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any: ...  # noqa: N802


class GpuReader:
    """Reads GPUs again and again; each trouble is told once, in `warnings`, and costs only what it concerns."""

    def __init__(self, load: Callable[[], Nvml] | None = None) -> None:
        self._load = load or _pynvml
        self._nvml: Nvml | None = None
        self._told: set[str] = set()
        self.warnings: list[str] = []

    def read(self) -> tuple[Gpu, ...]:
        """Return the GPUs that answer; none when NVML is missing or broken."""
        nvml = self._ready()
        if nvml is None:
            return ()
        try:
            count = nvml.nvmlDeviceGetCount()
        except nvml.NVMLError as error:
            self._tell("count", f"NVML cannot count the GPUs: {error}")
            return ()
        found = (self._gpu(nvml, index) for index in range(count))
        return tuple(gpu for gpu in found if gpu is not None)

    def _ready(self) -> Nvml | None:
        if self._nvml is None:
            try:
                nvml = self._load()
            except (ImportError, OSError) as error:
                self._tell("load", f"the module pynvml cannot be used: {error}")
                return None
            try:
                nvml.nvmlInit()
            except nvml.NVMLError as error:
                if "NotFound" not in type(error).__name__:
                    self._tell("init", f"NVML does not work, so no GPU is used: {error}")
                return None
            self._nvml = nvml
        return self._nvml

    def _gpu(self, nvml: Nvml, index: int) -> Gpu | None:
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            return Gpu(
                index=index,
                uuid=_text(nvml.nvmlDeviceGetUUID(handle)),
                name=_text(nvml.nvmlDeviceGetName(handle)),
                memory_bytes=int(memory.total),
                free_bytes=int(memory.free),
            )
        except nvml.NVMLError as error:
            self._tell(f"gpu {index}", f"GPU {index} cannot be read, so it is not used: {error}")
            return None

    def _tell(self, key: str, words: str) -> None:
        if key not in self._told:
            self._told.add(key)
            self.warnings.append(words)


def _pynvml() -> Nvml:
    import pynvml

    module: Nvml = pynvml
    return module


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
