"""An NVML with any GPUs in any state, which answers with NVML's own errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pynvml

GIB = 2**30


@dataclass
class FakeNvml:
    """GPUs by their memory in GiB; `broken` maps the name of a call, or "call index", to NVML's error number."""

    memory_gib: list[int] = field(default_factory=list)
    broken: dict[str, int] = field(default_factory=dict)
    #: What processes hold: (list, GPU, pid, bytes or None where the driver does not tell).
    held: list[tuple[str, int, int, int | None]] = field(default_factory=list)
    #: What was sampled of processes: (GPU, pid, time, percent).
    samples: list[tuple[int, int, int, int]] = field(default_factory=list)
    busy: dict[int, int] = field(default_factory=dict)
    writes_bytes: bool = False
    is_started: bool = False
    starts: int = 0
    NVMLError: type[Exception] = pynvml.NVMLError

    def load(self) -> FakeNvml:
        """Return this, as the module `pynvml` is found."""
        return self

    def nvmlInit(self) -> None:  # noqa: N802
        self.starts += 1
        self._answer("init")
        self.is_started = True

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        self._answer("count")
        return len(self.memory_gib)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        self._answer("handle", index)
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str | bytes:  # noqa: N802
        self._answer("uuid", handle)
        return self._text(f"GPU-{handle}{handle:03x}-aaaa")

    def nvmlDeviceGetName(self, handle: int) -> str | bytes:  # noqa: N802
        self._answer("name", handle)
        return self._text("NVIDIA Fake")

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802
        self._answer("memory", handle)
        total = self.memory_gib[handle] * GIB
        return SimpleNamespace(total=total, free=total - GIB, used=GIB)

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        self._answer("rates", handle)
        return SimpleNamespace(gpu=self.busy.get(handle, 0), memory=0)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:  # noqa: N802
        return self._held("compute", handle)

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle: int) -> list[Any]:  # noqa: N802
        return self._held("graphics", handle)

    def nvmlDeviceGetMPSComputeRunningProcesses(self, handle: int) -> list[Any]:  # noqa: N802
        return self._held("mps", handle)

    def nvmlDeviceGetProcessUtilization(self, handle: int, since: int) -> list[Any]:  # noqa: N802
        self._answer("samples", handle)
        found = [
            SimpleNamespace(pid=pid, timeStamp=at, smUtil=percent, memUtil=0)
            for gpu, pid, at, percent in self.samples
            if gpu == handle and at > since
        ]
        if not found:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return found

    def _held(self, kind: str, handle: int) -> list[Any]:
        self._answer(kind, handle)
        return [
            SimpleNamespace(pid=pid, usedGpuMemory=used)
            for of, gpu, pid, used in self.held
            if (of, gpu) == (kind, handle)
        ]

    def _answer(self, call: str, index: int | None = None) -> None:
        if call != "init" and not self.is_started:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)
        number = self.broken.get(call, self.broken.get(f"{call} {index}"))
        if number is not None:
            raise pynvml.NVMLError(number)

    def _text(self, text: str) -> str | bytes:
        return text.encode() if self.writes_bytes else text
