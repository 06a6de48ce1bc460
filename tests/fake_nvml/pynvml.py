"""A `pynvml` that a whole server loads in the place of the real one: the GPUs of a folder, which tests may change.

`FAKE_NVML` names the folder. `gpus.json` lists GPUs: `name`, `memory` in bytes, `error` (NVML's number, while the
GPU answers with it), `is_blind` (tells no memory of processes, as WDDM); or holds `{"init_error": number}`.
`processes/PID` is what that process holds: "GPU BYTES PERCENT". Whoever has ended holds nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

NVML_ERROR_NOT_SUPPORTED = 3
NVML_ERROR_NOT_FOUND = 6
NVML_ERROR_LIBRARY_NOT_FOUND = 12
NVML_ERROR_GPU_IS_LOST = 15
NVML_ERROR_LIB_RM_VERSION_MISMATCH = 18


class NVMLError(Exception):
    """NVML's number for what went wrong."""

    def __init__(self, value: int) -> None:
        super().__init__(f"fake NVML error {value}")
        self.value = value


def nvmlInit() -> None:  # noqa: N802
    found = _read()
    if isinstance(found, dict):
        raise NVMLError(found["init_error"])


def nvmlDeviceGetCount() -> int:  # noqa: N802
    return len(_read())


def nvmlDeviceGetHandleByIndex(index: int) -> int:  # noqa: N802
    error = _read()[index].get("error")
    if error:
        raise NVMLError(error)
    return index


def nvmlDeviceGetUUID(handle: int) -> str:  # noqa: N802
    return f"GPU-{handle:08x}-fake"


def nvmlDeviceGetName(handle: int) -> str:  # noqa: N802
    return str(_read()[handle]["name"])


def nvmlDeviceGetMemoryInfo(handle: int) -> Any:  # noqa: N802
    total, used = _read()[handle]["memory"], sum(used for _, used, _ in _held(handle))
    return SimpleNamespace(total=total, used=used, free=total - used)


def nvmlDeviceGetUtilizationRates(handle: int) -> Any:  # noqa: N802
    return SimpleNamespace(gpu=min(100, sum(percent for _, _, percent in _held(handle))), memory=0)


def nvmlDeviceGetComputeRunningProcesses(handle: int) -> list[Any]:  # noqa: N802
    is_blind = _read()[handle].get("is_blind")
    return [SimpleNamespace(pid=pid, usedGpuMemory=None if is_blind else n) for pid, n, _ in _held(handle)]


def nvmlDeviceGetGraphicsRunningProcesses(handle: int) -> list[Any]:  # noqa: N802
    return []


def nvmlDeviceGetMPSComputeRunningProcesses(handle: int) -> list[Any]:  # noqa: N802
    return []


def nvmlDeviceGetProcessUtilization(handle: int, since: int) -> list[Any]:  # noqa: N802
    if _read()[handle].get("is_blind"):
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    return [
        SimpleNamespace(pid=pid, timeStamp=since + 1, smUtil=percent) for pid, _, percent in _held(handle)
    ]


def _folder() -> Path:
    return Path(os.environ["FAKE_NVML"])


def _read() -> Any:
    return json.loads((_folder() / "gpus.json").read_text())


def _held(gpu: int) -> list[tuple[int, int, int]]:
    found = []
    for path in (_folder() / "processes").iterdir():
        if not path.name.isdecimal() or not _is_alive(int(path.name)):
            continue
        index, used, percent = map(int, path.read_text().split())
        if index == gpu:
            found.append((int(path.name), used, percent))
    return found


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
