"""Doctor says of memory and GPUs what is held and how, and what would change what is not."""

from __future__ import annotations

import pynvml
import pytest

from runyard.cli.health_watch import gpus, machine_memory
from runyard_cluster.gpu import GpuReader
from runyard_cluster.gpu_processes import GpuMeter
from tests.unit.cluster.fake_nvml import GIB, FakeNvml


def told(nvml: FakeNvml) -> list[tuple[str, str, str]]:
    return [(f.subject, f.state, f.detail) for f in gpus(GpuMeter(GpuReader(nvml.load)))]


@pytest.mark.parametrize(
    ("percent", "state"), [(50, "good"), (91.9, "good"), (92.0, "limited"), (99, "limited")]
)
def test_full_memory_is_a_limit(percent: float, state: str) -> None:
    fact = machine_memory(percent)
    assert fact.state == state
    assert f"{percent:.0f} % in use; at 92 % nothing new starts, at 96 %" in fact.detail


def test_this_machine_s_own_memory_is_measured() -> None:
    assert "% in use" in machine_memory().detail


def test_a_gpu_whose_processes_are_seen_is_enforced() -> None:
    (gpu, memory) = told(FakeNvml([32], held=[("compute", 0, 7, GIB)]))
    assert gpu == ("GPU 0", "good", "NVIDIA Fake, 32 GiB, by NVML")
    assert memory[:2] == ("gpu_memory on GPU 0", "good")


def test_a_gpu_whose_processes_are_hidden_is_advisory_and_says_what_changes_that() -> None:
    _, memory, warning = told(FakeNvml([32], held=[("compute", 0, 7, None)]))
    assert memory[:2] == ("gpu_memory on GPU 0", "limited")
    assert "advisory" in memory[2] and "nvidia-smi -i 0 -dm TCC" in memory[2]
    assert warning[1] == "limited"


def test_no_gpu_is_nothing_to_miss_and_a_broken_driver_is() -> None:
    assert [state for _, state, _ in told(FakeNvml([]))] == ["good"]
    absent = told(FakeNvml([], {"init": pynvml.NVML_ERROR_LIBRARY_NOT_FOUND}))
    assert [(subject, state) for subject, state, _ in absent] == [("GPU", "good")]
    broken = told(FakeNvml([], {"init": pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH}))
    assert [(subject, state) for subject, state, _ in broken] == [("GPU", "limited")]
    assert "restart the machine" in broken[0][2]
