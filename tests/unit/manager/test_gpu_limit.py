"""A run is warned near its GPU memory limit, stopped once it was seen above it twice, and never for its neighbour."""

from __future__ import annotations

from runyard_actors.manager.gpu_limit import GpuMemoryJudge, Verdict, enforcement
from runyard_actors.request import Request
from runyard_cluster.gpu import Gpu
from runyard_cluster.gpu_processes import GpuLook
from tests.unit.manager.making import GIB, active, node_look, run_look

EIGHT = Request(gpu_memory_bytes=8 * GIB)


def verdicts(judge: GpuMemoryJudge, *held: tuple[object, dict[int, int]]) -> list[tuple[bool, str]]:
    found = judge.judge([run_look(attempt, gpu_memory_on=on) for attempt, on in held])  # type: ignore[arg-type] # attempts
    return [(v.is_over, v.words) for v in found]


def test_one_look_above_the_limit_warns_and_the_second_stops() -> None:
    judge, run = GpuMemoryJudge(), active(request=EIGHT)
    over = (run, {0: int(8.6 * GIB)})
    assert verdicts(judge, over) == [(False, "uses 8.6 GiB of GPU memory, limit 8 GiB")]
    assert verdicts(judge, over) == [(True, "used 8.6 GiB of GPU memory, limit 8 GiB; stopped")]
    assert verdicts(judge, over) == [(True, "used 8.6 GiB of GPU memory, limit 8 GiB; stopped")]


def test_a_peak_that_is_gone_at_the_next_look_stops_nobody() -> None:
    judge, run = GpuMemoryJudge(), active(request=EIGHT)
    for _ in range(3):
        assert not any(is_over for is_over, _ in verdicts(judge, (run, {0: 9 * GIB})))
        assert verdicts(judge, (run, {0: GIB})) == []


def test_a_warning_comes_once_from_nine_tenths_on() -> None:
    judge, run = GpuMemoryJudge(), active(request=EIGHT)
    assert verdicts(judge, (run, {0: int(7.1 * GIB)})) == []
    assert verdicts(judge, (run, {0: int(7.3 * GIB)})) == [(False, "uses 7.3 GiB of GPU memory, limit 8 GiB")]
    assert verdicts(judge, (run, {0: int(7.9 * GIB)})) == []
    assert verdicts(judge, (run, {0: 8 * GIB})) == []


def test_only_who_is_over_is_stopped_and_who_declared_nothing_never_is() -> None:
    judge = GpuMemoryJudge()
    over, inside, free = active(request=EIGHT), active(request=EIGHT), active()
    looks = [run_look(over, gpu_memory_on={0: 9 * GIB}), run_look(inside, gpu_memory_on={0: 8 * GIB})]
    looks.append(run_look(free, gpu_memory_on={0: 30 * GIB}))
    judge.judge(looks)
    assert [v.attempt for v in judge.judge(looks) if v.is_over] == [over]


def test_the_limit_holds_for_each_gpu_by_itself() -> None:
    judge, run = (
        GpuMemoryJudge(),
        active(request=Request(gpu_milli=2000, gpu_memory_bytes=8 * GIB), gpus=(0, 1)),
    )
    both = run_look(run, gpu_memory_on={0: 7 * GIB, 1: 7 * GIB})
    assert [judge.judge([both]), judge.judge([both])] == [[], []]
    one = run_look(run, gpu_memory_on={0: GIB, 1: 9 * GIB})
    judge.judge([one])
    assert judge.judge([one]) == [Verdict(run, True, "used 9 GiB of GPU memory, limit 8 GiB; stopped")]


def test_how_it_is_held_is_said_as_it_is() -> None:
    gpus = tuple(Gpu(index=i, uuid=str(i), name="", memory_bytes=1, free_bytes=1) for i in range(2))
    sees = node_look(gpus=GpuLook(gpus=gpus, blind=frozenset({1})))
    assert enforcement(active(request=EIGHT, gpus=(0,)), sees) == {"gpu_memory": "poll"}
    assert enforcement(active(request=EIGHT, gpus=(1,)), sees) == {"gpu_memory": "advisory"}
    assert enforcement(active(request=EIGHT, gpus=(0,)), node_look()) == {"gpu_memory": "advisory"}
    assert enforcement(active(request=EIGHT, gpus=(0,)), None) == {"gpu_memory": "advisory"}
    assert enforcement(active(gpus=(0,)), sees) == {}
