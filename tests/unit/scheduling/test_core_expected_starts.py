"""When queued runs may be expected to start: what then comes true, if all goes as expected."""

from __future__ import annotations

import random
import time

import pytest

from runyard_actors.run import RunId
from runyard_actors.scheduling.core import Core, QueuedRun, Start
from runyard_actors.scheduling.node import Measured
from tests.unit.scheduling.playing import GIB, Play, batch, node, run

Expected = dict[str, float | None]


def expected(play: Play, durations: dict[str, float | None], count: int = 200, **elapsed: float) -> Expected:
    so_far = {RunId(name): seconds for name, seconds in elapsed.items()}
    return {str(r): each for r, each in play.core.expected_starts(durations, so_far, count).items()}


def test_one_after_the_other() -> None:
    play = Play(node(), slots=1)
    play.submit(run("a"), run("b"), run("c", module="n"), run("d"))
    assert expected(play, {"m": 10.0, "n": 5.0}, a=4.0) == {"b": 6.0, "c": 16.0, "d": 21.0}


def test_behind_what_nobody_knows_nothing_is_known() -> None:
    play = Play(node(cpus=2))
    play.submit(run("a"), run("b", module="n"), run("c", module="n"), run("d", cpus=2), run("e"))
    assert expected(play, {"m": 10.0}) == {"c": 10.0, "d": None, "e": None}
    assert expected(play, {"m": 10.0, "n": None}) == {"c": 10.0, "d": None, "e": None}
    assert expected(play, {}) == {"c": None, "d": None, "e": None}


def test_a_run_that_takes_longer_than_expected_goes_on_for_a_while() -> None:
    play = Play(node(), slots=1)
    play.submit(run("a"), run("b"))
    assert expected(play, {"m": 10.0}, a=50.0) == {"b": 5.0}


def test_limits_of_modules_and_batches_and_the_turns_of_batches_count() -> None:
    play = Play(node(), slots=3)
    play.core.set_module_limit("n", 1)
    play.submit(run("x0", batch="x"), run("x1", batch="x"), batch=batch("x", max_concurrent=1))
    play.submit(run("n0", module="n"), run("n1", module="n"))
    play.submit(*[run(f"y{i}", batch="y") for i in range(3)], batch=batch("y"))
    assert expected(play, {"m": 10.0, "n": 4.0}) == {"n1": 4.0, "x1": 10.0, "y1": 8.0, "y2": 10.0}


def test_the_head_of_the_queue_is_not_expected_to_be_overtaken() -> None:
    play = Play(node(cpus=4))
    play.submit(run("a", cpus=3), run("large", cpus=4), run("small"))
    assert expected(play, {"m": 10.0}) == {"large": 10.0, "small": 20.0}


def test_only_the_first_are_looked_at_in_their_order() -> None:
    play = Play(node(), slots=1)
    play.submit(run("r0"))
    play.submit(*[run(f"r{i}") for i in range(1, 6)], run("high", priority=1))
    assert list(expected(play, {"m": 1.0}, 3)) == ["high", "r1", "r2"]
    assert expected(play, {"m": 1.0}, 0) == {}


def test_while_starts_are_held_nothing_is_known() -> None:
    play = Play(node(cpus=2), node("b", cpus=1))
    play.submit(run("a", cpus=2), run("b"), run("c", cpus=2), run("d"))
    play.core.on_guard("ws1", "busy")
    assert expected(play, {"m": 10.0}) == {"c": None, "d": 10.0}
    play.core.pause()
    assert expected(play, {"m": 10.0}) == {"c": None, "d": None}


def test_what_other_programs_hold_is_not_expected_back() -> None:
    play = Play(node(gib=16))
    play.core.on_measured("ws1", Measured(memory_bytes=8 * GIB))
    play.submit(run("a", gib=8), run("b", gib=6), run("c", gib=12))
    assert expected(play, {"m": 10.0}) == {"b": 10.0, "c": None}


def test_to_ask_changes_nothing() -> None:
    def play(asks: bool) -> list[str]:
        played = Play(node(cpus=4, gpus=(8,)), slots=3)
        order = played.submit(*[run(f"r{i}", cpus=1 + i % 3, batch=f"b{i % 2}") for i in range(20)])
        for name in order:
            if asks:
                expected(played, {"m": 3.0})
            order += played.end(name)
        return order

    assert play(asks=True) == play(asks=False)


@pytest.mark.parametrize("seed", range(20))
def test_it_comes_true(seed: int) -> None:
    """Any mixture of requests, modules, batches and priorities, in the middle of its way."""
    dice = random.Random(seed)
    durations: dict[str, float | None] = {"m": 7.0, "n": 3.0, "o": 11.0}
    # Of several nodes with room another one may be taken than was told, so there is one.
    core = Core(max_concurrent_runs=dice.randint(1, 8))
    core.on_node(node(cpus=dice.randint(2, 6), gib=8))
    core.set_module_limit("o", 2)
    runs = [
        run(
            f"r{i:03}",
            cpus=dice.choice([0.5, 1, 2]),
            gib=dice.choice([0, 1, 4]),
            module=dice.choice(list(durations)),
            batch=dice.choice([None, "x", "y"]),
            priority=dice.choice([0, 0, 1]),
        )
        for i in range(60)
    ]
    core.on_submitted(runs)
    middle = _play(core, {r.run_id: durations[r.module_id] or 0.0 for r in runs}, until=20.0)
    ends, now = middle
    elapsed = {r: now - (end - (durations[_module(runs, r)] or 0.0)) for r, end in ends.items()}
    told = core.expected_starts(durations, elapsed)
    starts: dict[RunId, float] = {}
    _play(core, {r.run_id: durations[r.module_id] or 0.0 for r in runs}, ends=ends, now=now, starts=starts)
    assert {r: pytest.approx(at - now) for r, at in starts.items()} == told


def test_two_hundred_runs_beside_fifty_active_take_milliseconds() -> None:
    """The best of several tries counts, in CPU time; it takes some 11, and may not be several times as much."""
    core = Core(max_concurrent_runs=50)
    core.on_node(node(cpus=64, gib=256, gpus=(24, 24)))
    runs = [
        run(f"r{i:04}", cpus=0.25 * (1 + i % 8), gib=i % 5, module=f"m{i % 8}", batch=f"b{i % 3}")
        for i in range(5_000)
    ]
    core.on_submitted(runs)
    core.decide()
    assert core.counts().active == 50
    durations: dict[str, float | None] = {f"m{i}": 10.0 + i for i in range(8)}
    best = min(_seconds(core, durations) for _ in range(15))
    assert best < 0.05, f"took {best * 1e3:.1f} ms"


def _seconds(core: Core, durations: dict[str, float | None]) -> float:
    began = time.process_time()
    assert len(core.expected_starts(durations, {})) == 200
    return time.process_time() - began


def _module(runs: list[QueuedRun], run_id: RunId) -> str:
    return next(r.module_id for r in runs if r.run_id == run_id)


def _play(
    core: Core,
    durations: dict[RunId, float],
    *,
    until: float = 1e9,
    ends: dict[RunId, float] | None = None,
    now: float = 0.0,
    starts: dict[RunId, float] | None = None,
) -> tuple[dict[RunId, float], float]:
    """Let time pass; return when those end that are active at last, and when that is."""
    ends = dict(ends or {})
    while True:
        for decision in core.decide():
            if isinstance(decision, Start):
                ends[decision.run_id] = now + durations[decision.run_id]
                if starts is not None:
                    starts[decision.run_id] = now
        if not ends or min(ends.values()) > until:
            return ends, now
        now = min(ends.values())
        for run_id in sorted(r for r, end in ends.items() if end == now):
            del ends[run_id]
            core.on_ended(run_id, succeeded=True, retry=False)
