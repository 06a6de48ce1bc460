"""Advice names what would be better only where the past shows it, and says by which figures."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from runyard.advice import advice_of
from runyard_actors.learning.advice import Place, advise
from runyard_actors.learning.fit import runs_at_once
from runyard_actors.learning.past import PastRun
from runyard_actors.request import Request
from runyard_actors.run import Reason
from runyard_cluster.capacity import Capacity, Gpu
from runyard_cluster.settings import DefaultsSettings, ModuleSettings, Settings

MIB, GIB = 2**20, 2**30
CAPACITY = Capacity(
    node="n",
    cpu_milli=16_000,
    memory_bytes=48 * GIB,
    gpus=tuple(
        Gpu(index=i, uuid=str(i), name="g", memory_bytes=8 * GIB, free_bytes=8 * GIB) for i in range(2)
    ),
)
PLACE = Place(capacity=CAPACITY, slots=10)
ASKED = Request(cpu_milli=1_000, memory_bytes=16 * GIB)


def past(request: Request = ASKED, **used: Any) -> PastRun:
    return PastRun(request=request, **used)


def told(runs: list[PastRun], request: Request = ASKED, place: Place = PLACE) -> list[tuple[Any, ...]]:
    return [(a.kind, a.sentence, dict(a.suggested)) for a in advise(runs, request, place)]


def test_memory_that_no_run_needed_would_let_others_run() -> None:
    runs = [past(peak_memory=int(6.2 * GIB))] + [past(peak_memory=2 * GIB)] * 39
    sentence = "asks 16 GiB, peaked at 6.2 GiB in 40 runs: 7.5 GiB would let three more run"
    assert told(runs) == [("less_memory", sentence, {"memory": int(7.5 * GIB)})]


def test_four_runs_are_too_few_for_any_advice() -> None:
    runs = [past(peak_memory=GIB, cpu_seconds=60.0, seconds=10.0)] * 4
    assert told(runs) == []
    assert told([*runs, runs[0]]) != []


def test_less_memory_is_no_advice_where_nothing_more_could_run() -> None:
    runs = [past(peak_memory=6 * GIB)] * 40
    assert told(runs, place=Place(capacity=CAPACITY, slots=3)) == []
    busy = Request(cpu_milli=8_000, memory_bytes=16 * GIB)
    assert [kind for kind, *_ in told(runs, busy)] == []


def test_less_memory_is_no_advice_where_a_run_was_stopped_at_more() -> None:
    stopped = past(reason=Reason.OUT_OF_MEMORY, peak_memory=12 * GIB)
    assert told([past(peak_memory=6 * GIB)] * 40 + [stopped]) == []


def test_runs_that_were_retried_with_more_tell_what_would_have_held_all() -> None:
    asked = Request(cpu_milli=1_000, memory_bytes=4 * GIB)
    larger = Request(cpu_milli=1_000, memory_bytes=8 * GIB)
    grown = past(larger, peak_memory=5 * GIB, memory_retries=1)
    sentence = "was stopped at its memory limit 3 times in 20 runs: 6 GiB would have held all"
    expected = [("more_memory", sentence, {"memory": 6 * GIB})]
    assert told([past(asked, peak_memory=3 * GIB)] * 17 + [grown] * 3, asked) == expected


def test_where_nobody_knows_how_much_is_enough_that_is_said() -> None:
    asked = Request(cpu_milli=1_000, memory_bytes=4 * GIB)
    stopped = past(asked, reason=Reason.MEMORY_LIMIT, peak_memory=4 * GIB)
    ((kind, sentence, suggested),) = told([past(asked, peak_memory=3 * GIB)] * 5 + [stopped], asked)
    assert (kind, suggested) == ("more_memory", {"memory": 6 * GIB})
    words = (
        "was stopped at its memory limit once in 6 runs: 6 GiB may do, or retry_on_out_of_memory finds out"
    )
    assert sentence == words
    # What was stopped at less than is asked by now says nothing of it.
    now = Request(cpu_milli=1_000, memory_bytes=6 * GIB)
    assert told([past(asked, peak_memory=3 * GIB)] * 5 + [stopped], now) == []
    all_there_is = Request(memory_bytes=48 * GIB)
    full = past(all_there_is, reason=Reason.MEMORY_LIMIT)
    assert told([full] * 5, all_there_is) == []


def test_cpus_that_stand_idle_and_cpus_that_are_others() -> None:
    asked = Request(cpu_milli=4_000)
    idle = [past(asked, cpu_seconds=11.0, seconds=10.0)] * 12
    sentence = "asks 4 CPUs, used 1.1 in 12 runs: 1.5 would let six more run"
    assert told(idle, asked) == [("fewer_cpus", sentence, {"num_cpus": 1.5})]
    one = Request(cpu_milli=1_000)
    busy = [past(one, cpu_seconds=36.0, seconds=10.0)] * 12
    sentence = "asks 1 CPU, used 3.6 in 12 runs: 4 would leave other runs what is theirs"
    assert told(busy, one) == [("more_cpus", sentence, {"num_cpus": 4.0})]
    assert told([past(one, cpu_seconds=11.0, seconds=10.0)] * 12, one) == []


def test_short_runs_say_nothing_about_cpus() -> None:
    asked = Request(cpu_milli=4_000)
    assert told([past(asked, cpu_seconds=0.1, seconds=0.9)] * 20, asked) == []


def test_gpu_memory_counts_on_each_gpu() -> None:
    asked = Request(gpu_milli=250, gpu_memory_bytes=8 * GIB)
    runs = [past(asked, peak_gpu_memory=3 * GIB)] * 8
    sentence = "asks 8 GiB of GPU memory, peaked at 3 GiB in 8 runs: 3.6 GiB would let two more run"
    ((kind, words, suggested),) = told(runs, asked)
    assert (kind, words) == ("less_gpu_memory", sentence)
    assert 3.6 * GIB <= suggested["gpu_memory"] < 3.7 * GIB


@pytest.mark.parametrize(
    ("request_", "count"),
    [
        (Request(), 10),
        (Request(cpu_milli=3_000), 5),
        (Request(memory_bytes=20 * GIB), 2),
        (Request(memory_bytes=49 * GIB), 0),
        (Request(gpu_milli=300), 6),
        (Request(gpu_milli=1_000), 2),
        (Request(gpu_milli=2_000), 1),
        (Request(gpu_memory_bytes=3 * GIB), 4),
        (Request(gpu_milli=500, gpu_memory_bytes=9 * GIB), 0),
    ],
)
def test_runs_at_once_go_by_the_scarcest(request_: Request, count: int) -> None:
    assert runs_at_once(request_, CAPACITY, 10) == count


def test_a_module_is_judged_by_what_it_asks_now() -> None:
    runs = [past(peak_memory=6 * GIB)] * 40
    settings = Settings(defaults=DefaultsSettings(num_cpus=1, memory="2GiB"))  # type: ignore[arg-type]
    script = ModuleSettings(command=("true",), memory=16 * GIB)
    assert [a["kind"] for a in advice_of(script, runs, settings, CAPACITY)] == ["less_memory"]
    for memory in ("learn", None, 7 * GIB):
        other = ModuleSettings(command=("true",), memory=memory)  # type: ignore[arg-type]
        assert advice_of(other, runs, settings, CAPACITY) == []
    alone = script.model_copy(update={"max_concurrent": 1})
    assert advice_of(alone, runs, settings, CAPACITY) == []
    assert [a["kind"] for a in advice_of(None, runs, settings, CAPACITY)] == ["less_memory"]
    assert advice_of(script, [], settings, CAPACITY) == []


def test_the_most_urgent_advice_comes_first() -> None:
    asked = Request(cpu_milli=1_000, memory_bytes=16 * GIB)
    runs = [past(asked, peak_memory=GIB, cpu_seconds=40.0, seconds=10.0)] * 5
    found = advise(runs, asked, PLACE)
    assert [a.kind for a in found] == ["more_cpus", "less_memory"]
    assert set(asdict(found[0])) == {"kind", "sentence", "suggested"}
