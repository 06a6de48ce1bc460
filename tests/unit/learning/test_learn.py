"""A learned request is the 95th percentile of the known peaks plus a margin, or the default with too few."""

from __future__ import annotations

import pytest

from runyard.server.learner import Learner
from runyard_actors.learning.learn import NEWEST, learn_gpu_memory, learn_memory, rounded_up, with_margin
from runyard_actors.learning.past import PastRun, percentile
from runyard_actors.request import Request
from runyard_actors.run import Reason
from runyard_cluster.capacity import Capacity, Gpu

MIB, GIB = 2**20, 2**30


def past(*peaks: int | None, reason: Reason | None = None, gpu: bool = False) -> list[PastRun]:
    field = "peak_gpu_memory" if gpu else "peak_memory"
    return [PastRun(request=Request(), reason=reason, **{field: peak}) for peak in peaks]


def test_one_high_peak_of_forty_does_not_set_the_request() -> None:
    runs = past(*[4 * GIB] * 37, 5 * GIB, 9 * GIB, 9 * GIB)
    found = learn_memory(runs, 64 * GIB)
    assert found.amount == 6 * GIB
    assert found.note == "memory 6 GiB learned: 95th percentile of 40 peaks is 5 GiB, plus 20 %"


def test_a_small_peak_gets_room_for_an_interpreter() -> None:
    found = learn_memory(past(*[100 * MIB] * 5), GIB)
    assert found.amount == 368 * MIB
    assert found.note == "memory 368 MiB learned: 95th percentile of 5 peaks is 100 MiB, plus 256 MiB"


@pytest.mark.parametrize(
    ("peaks", "known"), [((), "no peak is"), ((GIB,), "1 peak is"), ((GIB,) * 4 + (None,), "4 peaks are")]
)
def test_with_fewer_than_five_known_peaks_it_is_the_default(
    peaks: tuple[int | None, ...], known: str
) -> None:
    found = learn_memory(past(*peaks), 64 * GIB)
    assert found.amount is None
    assert found.note == f"memory by default: {known} known, and 5 are needed to learn from"


def test_the_peak_of_a_run_that_failed_says_nothing() -> None:
    runs = past(*[GIB] * 5) + past(*[60 * GIB] * 20, reason=Reason.MEMORY_LIMIT)
    assert learn_memory(runs, 64 * GIB).amount == with_margin(GIB)


def test_it_never_asks_for_more_than_the_node_has() -> None:
    found = learn_memory(past(*[15 * GIB] * 5), 16 * GIB)
    assert found.amount == 16 * GIB
    assert found.note.endswith("is 15 GiB, as much as there is, of 18 GiB")


def test_gpu_memory_is_learned_from_its_own_peaks() -> None:
    assert learn_gpu_memory(past(*[2 * GIB] * 5), 8 * GIB).amount is None
    assert learn_gpu_memory(past(*[2 * GIB] * 5, gpu=True), 8 * GIB).amount == with_margin(2 * GIB)


@pytest.mark.parametrize("size", [0, 1, 5, 31, 32, 33, MIB, 5 * GIB + 1, 2**50 + 1])
def test_rounding_up_adds_less_than_seven_percent(size: int) -> None:
    assert size <= rounded_up(size) <= max(size * 1.0626, size)
    assert rounded_up(rounded_up(size)) == rounded_up(size)


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([3], 95) == 3
    assert percentile([*range(1, 101)], 95) == 95
    assert percentile([2, 1], 50) == 1


def test_a_modules_past_is_read_once_for_a_submission() -> None:
    asked: list[tuple[str, int]] = []

    def past_runs(module_id: str, limit: int) -> list[PastRun]:
        asked.append((module_id, limit))
        return past(*[GIB] * 5)

    learner = Learner(past_runs=past_runs, capacity=Capacity(node="n", cpu_milli=1_000, memory_bytes=8 * GIB))
    default = Request(cpu_milli=500, memory_bytes=4 * GIB)
    for _ in range(3):
        request, _note = learner.learned("m", default, memory=True, gpu_memory=False)
        assert request == Request(cpu_milli=500, memory_bytes=with_margin(GIB))
    assert asked == [("m", NEWEST)]


def test_a_run_that_asks_for_no_share_of_a_gpu_gets_one_to_be_measured_on() -> None:
    gpu = Gpu(index=0, uuid="u", name="g", memory_bytes=8 * GIB, free_bytes=8 * GIB)
    capacity = Capacity(node="n", cpu_milli=1_000, memory_bytes=8 * GIB, gpus=(gpu,))
    learner = Learner(past_runs=lambda *_: [], capacity=capacity)
    request, note = learner.learned("m", Request(), memory=False, gpu_memory=True)
    assert request.gpu_memory_bytes == 8 * GIB
    assert note.endswith("needed to learn from; until then 8 GiB")
    with_share, _ = learner.learned("m", Request(gpu_milli=250), memory=False, gpu_memory=True)
    assert with_share.gpu_memory_bytes == 0
