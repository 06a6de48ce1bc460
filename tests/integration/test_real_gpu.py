"""On a real GPU: a run that takes more of its memory than it declared is stopped, and its neighbour goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runyard_actors.node_meter import NodeMeter
from runyard_cluster.gpu import GpuReader
from tests.in_process import CAPACITY, in_process
from tests.rest import submit, wait_ended
from tests.support import python, wait_until

GIB = 2**30

#: Takes so many MiB through CUDA's driver, without any library, and holds them for a minute.
TAKES = """
import ctypes, sys, time
cuda = ctypes.CDLL("libcuda.so.1" if sys.platform != "win32" else "nvcuda.dll")
def call(name, *args):
    code = getattr(cuda, name)(*args)
    assert code == 0, (name, code)
device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
call("cuInit", 0)
call("cuDeviceGet", ctypes.byref(device), 0)
call("cuCtxCreate_v2", ctypes.byref(context), 0, device)
call("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(int(sys.argv[1]) << 20))
time.sleep(60)
"""


@pytest.mark.gpu
def test_only_the_run_that_takes_too_much_of_a_real_gpu_is_stopped(tmp_path: Path) -> None:
    gpus = GpuReader().read()
    if not gpus or gpus[0].free_bytes < 12 * GIB:
        pytest.skip("needs a GPU of NVIDIA with 12 GiB free")
    capacity = replace(CAPACITY, gpus=gpus[:1])
    meter = NodeMeter(has_gpus=True)
    with in_process(tmp_path, capacity=capacity, meter=meter) as server, server.http() as http:

        def takes(mib: int) -> str:
            run_id: str = submit(http, command=[*python(TAKES), str(mib)], num_cpus=0.1, gpu_memory="3GiB")[
                "run_id"
            ]
            return run_id

        def used(run_id: str) -> Any:
            found = {u["run_id"]: u["gpu_memory"] for u in http.get("/api/usage").json()["runs"]}
            return found.get(run_id)

        inside = takes(1024)
        wait_until(lambda: (used(inside) or 0) >= GIB, 60, "what it holds is seen")
        over = wait_ended(http, takes(4096))
        assert (over["status"], over["reason"]) == ("failed", "gpu_memory_limit")
        assert over["peak_gpu_memory"] >= 4 * GIB
        assert "of GPU memory, limit 3 GiB; stopped" in over["reason_detail"]
        assert http.get(f"/api/runs/{inside}").json()["status"] == "running"
