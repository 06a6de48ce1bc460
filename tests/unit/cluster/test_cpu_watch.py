"""Other programs' use of the CPU is all use less our own, over whole trees, whatever ends in between."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import NoReturn

import psutil
import pytest

from runyard_cluster.cpu_meter import CpuMeter, cpu_seconds
from runyard_cluster.cpu_watch import CpuWatch, below
from runyard_cluster.trees import ProcessRow
from tests.support import python, wait_until

Look = list[tuple[int, int, float, float]]


def replay(values: list[tuple[float, float]]) -> Callable[[], tuple[float, float]]:
    readings = iter(values)
    return lambda: next(readings)


def watch(threshold: float, busy: list[float], looks: list[Look]) -> CpuWatch:
    """A machine with 2 CPUs looked at once a second; a look is (pid, parent, own seconds, ended children's)."""
    readings = replay([(sum(busy[: i + 1]), 2.0 * i) for i in range(len(busy))])
    seen = iter(looks)
    return CpuWatch(threshold, machine=readings, processes=lambda: processes(next(seen)))


def processes(look: Look) -> list[ProcessRow]:
    return [ProcessRow(pid=i, parent=p, own=own, ended_children=ended) for i, p, own, ended in look]


def test_the_first_sample_has_nothing_to_compare_with() -> None:
    assert watch(80, [100], []).sample([]) == 0


def test_below_the_threshold_no_process_is_looked_at() -> None:
    def never() -> NoReturn:
        raise AssertionError

    watched = CpuWatch(80, machine=replay([(0, 0), (1, 2), (2.6, 4)]), processes=never)
    assert [watched.sample([1]) for _ in range(3)] == pytest.approx([0, 50, 80])


def test_what_own_trees_use_is_taken_off() -> None:
    # Given our root 10 with a child 11, and a stranger 20
    before = [(1, 0, 0.0, 0.0), (10, 1, 5.0, 0.0), (11, 10, 7.0, 0.0), (20, 1, 9.0, 0.0)]
    after = [(1, 0, 0.0, 0.0), (10, 1, 5.2, 0.0), (11, 10, 8.0, 0.0), (20, 1, 9.8, 0.0)]
    watched = watch(50, [0, 2, 2], [before, after])
    # When all of the machine is busy, I expect what the stranger has of it
    assert [watched.sample({10}) for _ in range(3)] == pytest.approx([0, 0, 40])


def test_a_child_that_began_in_between_counts_from_its_start() -> None:
    watched = watch(50, [0, 2, 2], [[(10, 1, 5.0, 0.0)], [(10, 1, 5.0, 0.0), (12, 10, 1.5, 0.0)]])
    assert [watched.sample({10}) for _ in range(3)][-1] == pytest.approx(25)


def test_a_child_that_ended_counts_only_what_it_used_in_between() -> None:
    # Given a child that used 100 s before, and 1 s more before it ended and its parent took its times over
    before = [(10, 1, 5.0, 0.0), (11, 10, 100.0, 0.0)]
    watched = watch(50, [0, 2, 2], [before, [(10, 1, 5.0, 101.0)]])
    assert [watched.sample({10}) for _ in range(3)][-1] == pytest.approx(50)


def test_a_line_of_processes_that_ended_counts_for_the_ancestor_that_is_left() -> None:
    before = [(10, 1, 5.0, 0.0), (11, 10, 10.0, 1.0), (12, 11, 20.0, 2.0)]
    watched = watch(50, [0, 2, 2], [before, [(10, 1, 5.5, 33.5)]])
    assert [watched.sample({10}) for _ in range(3)][-1] == pytest.approx(50)


def test_times_of_ended_children_may_be_unknown_as_on_macos() -> None:
    before = [(10, 1, 5.0, 0.0), (11, 10, 100.0, 0.0)]
    watched = watch(50, [0, 2, 2], [before, [(10, 1, 6.0, 0.0)]])
    assert [watched.sample({10}) for _ in range(3)][-1] == pytest.approx(50)


def test_a_run_that_ended_takes_nothing_off_the_others() -> None:
    before = [(10, 1, 500.0, 0.0), (20, 1, 5.0, 0.0)]
    watched = watch(50, [0, 2, 2], [before, [(20, 1, 6.0, 0.0)]])
    assert [watched.sample({10, 20}) for _ in range(3)][-1] == pytest.approx(50)


def test_a_pid_that_is_used_again_never_counts_negatively() -> None:
    watched = watch(50, [0, 2, 2], [[(10, 1, 500.0, 0.0)], [(10, 1, 0.1, 0.0)]])
    assert [watched.sample({10}) for _ in range(3)][-1] == pytest.approx(100)


def test_a_clock_that_stands_still_or_goes_back_is_no_use() -> None:
    watched = CpuWatch(10, machine=replay([(5, 10), (5, 10), (4, 8)]), processes=list)
    assert [watched.sample([]) for _ in range(3)] == [0, 0, 0]


def test_below_ends_where_parents_go_in_a_circle() -> None:
    look = processes(
        [(2, 3, 1.0, 0.0), (3, 2, 1.0, 0.0), (4, 10, 1.0, 0.0), (5, 4, 1.0, 0.0), (6, 99, 1.0, 0.0)]
    )
    assert set(below([10], look)) == {4, 5}
    assert set(below([4], look)) == {4, 5}
    assert set(below([], look)) == set()


@pytest.fixture
def burner() -> Iterator[int]:
    process = subprocess.Popen(python("while True: pass"))
    yield process.pid
    process.kill()
    process.wait()


def test_a_real_process_is_taken_off_when_it_is_ours(burner: int) -> None:
    # Given two watches of the same machine, one that takes the busy process for ours
    ours, strangers = CpuWatch(-1), CpuWatch(-1)
    for each in (ours, strangers):
        each.sample([])
    _, total = cpu_seconds()
    wait_until(lambda: cpu_seconds()[1] > total, 10, "the CPU clock moved")
    process = psutil.Process(burner)
    ours.sample([burner])
    strangers.sample([burner])
    used = process.cpu_times().user
    wait_until(lambda: process.cpu_times().user - used > 0.5, 60, "half a second of CPU")
    # When both look again, I expect the busy process' share between them
    assert strangers.sample([]) - ours.sample([burner]) > 1


def test_the_meter_keeps_its_figure_until_enough_time_is_past() -> None:
    cores = os.cpu_count() or 1
    meter = CpuMeter(replay([(0, 0), (cores, 2 * cores), (cores, 2.1 * cores), (2.5 * cores, 4 * cores)]))
    assert [meter.percent() for _ in range(3)] == pytest.approx([50, 50, 75])


def test_the_meter_stays_between_nothing_and_all() -> None:
    cores = os.cpu_count() or 1
    meter = CpuMeter(replay([(0, 0), (3 * cores, 2 * cores), (2 * cores, 4 * cores)]))
    assert [meter.percent() for _ in range(2)] == [100, 0]


def test_the_real_meter_counts_up() -> None:
    busy, total = cpu_seconds()
    assert 0 <= busy <= total
    assert wait_until(lambda: cpu_seconds()[1] > total, 10, "the CPU clock moved")
