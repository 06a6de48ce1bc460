"""A run is stalled after its time without any sign of life, is told once, and again when it lives."""

from __future__ import annotations

import dataclasses

import pytest

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.stall import Output, StallWatch
from runyard_cluster.gpu_processes import GpuLook
from tests.unit.manager.making import active, node_look, run_look

NOTHING: Output = (0, (0, 0))
OFF = GpuLook()


class Playing:
    """A run that is looked at once a second."""

    def __init__(self, attempt: ActiveRun) -> None:
        self.attempt = attempt
        self.watch = StallWatch()
        self.now = 0.0
        self.cpu = 0.0
        self.output: Output = NOTHING

    def pass_by(
        self, seconds: int, *, cpu: float = 0.0, gpu_percent: float | None = 0.0, gpus: GpuLook = OFF
    ) -> list[float | None]:
        """Return what was told in these seconds, in each of which the run uses `cpu` seconds of a core."""
        told = []
        for _ in range(seconds):
            self.now, self.cpu = self.now + 1, self.cpu + cpu
            run = run_look(self.attempt, cpu_seconds=self.cpu, gpu_percent=gpu_percent)
            look = dataclasses.replace(node_look(run, gpus=gpus), monotonic=self.now)
            outputs = {self.attempt.run_id: self.output}
            told += [v.quiet_seconds for v in self.watch.judge(look, outputs)]
        return told


@pytest.fixture
def run() -> Playing:
    return Playing(active(stall_after_seconds=60.0))


def test_a_quiet_run_is_told_once_when_its_time_is_over(run: Playing) -> None:
    assert run.pass_by(60) == []
    assert run.pass_by(200) == [60.0]


@pytest.mark.parametrize("cpu", [0.02, 0.5, 1.0])
def test_who_computes_is_alive(run: Playing, cpu: float) -> None:
    assert 60.0 not in run.pass_by(300, cpu=cpu)


def test_an_interpreter_that_wakes_up_now_and_then_is_not(run: Playing) -> None:
    assert run.pass_by(100, cpu=0.002) == [60.0]


def test_output_and_reports_are_signs_of_life(run: Playing) -> None:
    assert run.pass_by(50) == []
    run.output = (7, (0, 0))
    assert run.pass_by(60) == [None]
    run.output = (7, (3, 1))
    assert run.pass_by(60) == []
    assert run.pass_by(2) == [60.0]
    run.output = (9, (3, 1))
    assert run.pass_by(3) == [None]


def test_a_run_that_is_held_still_is_not_stalled(run: Playing) -> None:
    run.attempt.is_suspended = True
    assert 60.0 not in run.pass_by(300)
    run.attempt.is_suspended = False
    assert run.pass_by(50) == []
    assert run.pass_by(50) == [60.0]


def test_use_of_its_gpu_is_a_sign_of_life(run: Playing) -> None:
    assert 60.0 not in run.pass_by(100, gpu_percent=35.0)
    assert run.pass_by(100, gpu_percent=0.0) == [60.0]


def test_where_its_share_is_not_told_the_whole_gpu_stands_for_it() -> None:
    run = Playing(active(stall_after_seconds=60.0, gpus=(0,)))
    busy, idle, unknown = ({0: percent} for percent in (20.0, 0.0, None))
    assert 60.0 not in run.pass_by(100, gpu_percent=None, gpus=GpuLook(busy_percent=busy))
    assert 60.0 not in run.pass_by(100, gpu_percent=None, gpus=GpuLook(busy_percent=unknown))
    assert run.pass_by(100, gpu_percent=None, gpus=GpuLook(busy_percent=idle)) == [60.0]


def test_a_run_that_said_nothing_of_it_is_not_looked_at() -> None:
    run = Playing(active(stall_after_seconds=1.0))
    look = node_look(run_look(run.attempt))
    assert run.watch.judge(look, {}) == []
