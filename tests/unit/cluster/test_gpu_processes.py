"""What each process uses of the GPUs is told as far as NVML tells it; where it does not, that is told once."""

from __future__ import annotations

import pynvml
import pytest

from runyard_cluster.gpu import GpuReader
from runyard_cluster.gpu_processes import GpuMeter, GpuProcess
from tests.unit.cluster.fake_nvml import GIB, FakeNvml


def meter(nvml: FakeNvml) -> GpuMeter:
    return GpuMeter(GpuReader(nvml.load), is_here=lambda pid: pid < 1_000)


def test_a_process_is_told_with_its_memory_and_the_mean_of_its_samples() -> None:
    nvml = FakeNvml([24, 24], held=[("compute", 0, 7, 3 * GIB), ("compute", 1, 8, GIB)], busy={0: 61})
    nvml.samples = [(0, 7, 100, 40), (0, 7, 200, 60)]
    look = meter(nvml).look()
    assert look.processes == (
        GpuProcess(pid=7, gpu=0, memory=3 * GIB, percent=50.0),
        GpuProcess(pid=8, gpu=1, memory=GIB, percent=0.0),
    )
    assert (look.busy_percent, look.blind, look.lost) == ({0: 61.0, 1: 0.0}, frozenset(), {})


def test_samples_of_an_earlier_look_do_not_count_again() -> None:
    nvml = FakeNvml([24], held=[("compute", 0, 7, GIB)], samples=[(0, 7, 100, 80)])
    looking = meter(nvml)
    assert [p.percent for p in looking.look().processes] == [80.0]
    assert [p.percent for p in looking.look().processes] == [0.0]
    nvml.samples.append((0, 7, 300, 20))
    assert [p.percent for p in looking.look().processes] == [20.0]


def test_a_process_in_two_lists_of_a_gpu_counts_once() -> None:
    nvml = FakeNvml([24], held=[("compute", 0, 7, 2 * GIB), ("graphics", 0, 7, 2 * GIB), ("mps", 0, 9, GIB)])
    assert {p.pid: p.memory for p in meter(nvml).look().processes} == {7: 2 * GIB, 9: GIB}


def test_a_driver_that_tells_no_memory_of_processes_is_told_once_and_costs_only_that_gpu() -> None:
    nvml = FakeNvml([24, 24], held=[("compute", 0, 7, None), ("compute", 1, 8, GIB)])
    looking = meter(nvml)
    for _ in range(2):
        look = looking.look()
    assert (look.blind, [p.memory for p in look.processes]) == (frozenset({0}), [None, GIB])
    assert len(looking.warnings) == 1
    assert "WDDM" in looking.warnings[0]


@pytest.mark.parametrize("number", [pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_NO_PERMISSION])
def test_a_list_that_may_not_be_read_is_the_same(number: int) -> None:
    look = meter(FakeNvml([24], {"compute 0": number})).look()
    assert (look.blind, look.processes, len(look.gpus)) == (frozenset({0}), (), 1)


def test_numbers_of_another_system_make_a_gpu_blind_at_the_second_look_and_an_end_does_not() -> None:
    nvml = FakeNvml([24, 24], held=[("compute", 0, 7_000, GIB), ("compute", 1, 8, GIB)])
    looking = meter(nvml)
    assert looking.look().blind == frozenset()
    nvml.held[0] = ("compute", 0, 7_001, GIB)
    assert looking.look().blind == frozenset()
    assert looking.look().blind == frozenset({0})
    assert len(looking.warnings) == 1 and "--pid=host" in looking.warnings[0]


@pytest.mark.parametrize("call", ["samples", "rates"])
def test_a_gpu_that_samples_nothing_leaves_only_the_percent_out(call: str) -> None:
    nvml = FakeNvml([24], {call: pynvml.NVML_ERROR_NOT_SUPPORTED}, held=[("compute", 0, 7, GIB)])
    look = meter(nvml).look()
    assert look.processes[0].memory == GIB
    assert (look.processes[0].percent if call == "samples" else look.busy_percent[0]) is None


@pytest.mark.parametrize(
    "number",
    [pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED, pynvml.NVML_ERROR_GPU_NOT_FOUND],
)
def test_a_gpu_lost_while_it_is_watched_is_named_and_the_others_go_on(number: int) -> None:
    nvml = FakeNvml([24, 24], held=[("compute", 0, 7, GIB), ("compute", 1, 8, GIB)])
    looking = meter(nvml)
    assert looking.look().lost == {}
    nvml.broken["handle 0"] = number
    look = looking.look()
    assert list(look.lost) == [0]
    assert [p.pid for p in look.processes] == [8]
    nvml.broken.clear()
    assert looking.look().lost == {}


def test_without_nvml_there_is_nothing_to_see_and_one_warning() -> None:
    looking = meter(FakeNvml([24], {"init": pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH}))
    assert [looking.look().gpus, looking.look().processes] == [(), ()]
    assert len(looking.warnings) == 1
