"""GPUs are read in every state that NVML can be in; what is wrong is told once, and costs only what it concerns."""

from __future__ import annotations

import pynvml
import pytest

from runyard_cluster.gpu import Gpu, GpuReader, visible_gpus
from tests.unit.cluster.fake_nvml import GIB, FakeNvml


def test_every_gpu_is_read_with_its_memory() -> None:
    reader = GpuReader(FakeNvml([24, 80]).load)
    first, second = reader.read()
    assert first == Gpu(
        index=0, uuid="GPU-0000-aaaa", name="NVIDIA Fake", memory_bytes=24 * GIB, free_bytes=23 * GIB
    )
    assert (second.index, second.memory_bytes) == (1, 80 * GIB)
    assert reader.warnings == []


def test_older_bindings_that_answer_in_bytes_are_understood() -> None:
    (gpu,) = GpuReader(FakeNvml([24], writes_bytes=True).load).read()
    assert (gpu.uuid, gpu.name) == ("GPU-0000-aaaa", "NVIDIA Fake")


@pytest.mark.parametrize(
    ("call", "number", "words"),
    [
        ("init", pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, "no NVIDIA driver is installed here"),
        ("init", pynvml.NVML_ERROR_DRIVER_NOT_LOADED, "driver is not loaded"),
        ("init", pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, "its old version is still loaded"),
        ("init", pynvml.NVML_ERROR_NO_PERMISSION, "NVML says: Insufficient Permissions"),
        ("count", pynvml.NVML_ERROR_UNKNOWN, "NVML says: Unknown Error"),
    ],
)
def test_an_nvml_that_does_not_work_means_no_gpus_and_one_warning(call: str, number: int, words: str) -> None:
    reader = GpuReader(FakeNvml([24], {call: number}).load)
    assert [reader.read() for _ in range(3)] == [()] * 3
    assert len(reader.warnings) == 1
    assert words in reader.warnings[0]


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError("No module named 'pynvml'"), OSError("bad ELF header")]
)
def test_bindings_that_cannot_be_loaded_mean_no_gpus_and_one_warning(error: Exception) -> None:
    def load() -> FakeNvml:
        raise error

    reader = GpuReader(load)
    assert [reader.read(), reader.read()] == [(), ()]
    assert reader.warnings == [f"no GPU is used: the module pynvml cannot be used: {error}"]


@pytest.mark.parametrize("call", ["handle 1", "memory 1", "uuid 1", "name 1"])
def test_a_lost_gpu_is_left_out_and_the_others_stay(call: str) -> None:
    nvml = FakeNvml([24, 24, 24], {call: pynvml.NVML_ERROR_GPU_IS_LOST})
    reader = GpuReader(nvml.load)
    assert [[gpu.index for gpu in reader.read()] for _ in range(2)] == [[0, 2], [0, 2]]
    assert reader.warnings == ["GPU 1 is not used: it is lost; restart the machine"]


def test_a_gpu_that_comes_back_is_used_again() -> None:
    nvml = FakeNvml([24], {"memory 0": pynvml.NVML_ERROR_GPU_IS_LOST})
    reader = GpuReader(nvml.load)
    assert reader.read() == ()
    nvml.broken.clear()
    assert [gpu.index for gpu in reader.read()] == [0]


def test_a_gpu_lost_while_we_watch_it_is_told_then() -> None:
    nvml = FakeNvml([24, 24])
    reader = GpuReader(nvml.load)
    assert len(reader.read()) == 2
    nvml.broken["memory 0"] = pynvml.NVML_ERROR_GPU_IS_LOST
    assert [gpu.index for gpu in reader.read()] == [1]
    assert len(reader.warnings) == 1


@pytest.mark.parametrize("number", [pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND])
def test_a_gpu_that_does_not_tell_its_memory_has_none_to_ask_for(number: int) -> None:
    reader = GpuReader(FakeNvml([24, 24], {"memory 0": number}).load)
    assert [(gpu.index, gpu.memory_bytes) for gpu in reader.read()] == [(0, 0), (1, 24 * GIB)]
    reader.read()
    assert reader.warnings == ["GPU 0 does not tell its memory: gpu_memory cannot be asked of it"]


def test_a_driver_that_is_loaded_later_is_found_then() -> None:
    nvml = FakeNvml([24], {"init": pynvml.NVML_ERROR_DRIVER_NOT_LOADED})
    reader = GpuReader(nvml.load)
    assert reader.read() == ()
    nvml.broken.clear()
    assert len(reader.read()) == 1


def test_an_nvml_that_was_shut_down_beside_us_is_started_again() -> None:
    nvml = FakeNvml([24])
    reader = GpuReader(nvml.load)
    reader.read()
    nvml.is_started = False
    assert reader.read() == ()
    assert len(reader.read()) == 1
    assert nvml.starts == 2
    assert reader.warnings == []


@pytest.mark.parametrize(
    ("variable", "indexes"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("1", [1]),
        ("2,0", [0, 2]),
        (" 0 , 2 ", [0, 2]),
        ("1,1", [1]),
        ("0,99,2", [0]),
        ("0,-1,2", [0]),
        ("GPU-1", [1]),
        ("GPU-2002-aaaa,0", [0, 2]),
        ("GPU-", []),
        ("MIG-abc", []),
        ("1.5", []),
    ],
)
def test_only_the_gpus_that_the_user_left_visible_are_offered(
    variable: str | None, indexes: list[int]
) -> None:
    gpus = GpuReader(FakeNvml([24, 24, 24]).load).read()
    assert [gpu.index for gpu in visible_gpus(gpus, variable)] == indexes


def test_this_machine_s_own_nvml_is_read_without_an_error() -> None:
    reader = GpuReader()
    assert reader.read() == reader.read() or reader.warnings
    assert len(reader.warnings) == len(set(reader.warnings))
