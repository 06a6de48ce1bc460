"""When a tree's memory is looked at next: before it could be too far above its limit, and no oftener."""

from __future__ import annotations

import pytest

from runyard_actors.shim.gauge import LONGEST, SHORTEST, SPARE, SPARE_WHILE_QUIET, Gauge

MIB = 1 << 20
LOOK_SECONDS = 0.0002


def looks(limit: int, rate: float, *, start: float = 0.0) -> tuple[int, float]:
    """Let a tree grow by `rate` bytes a second; return how far above its limit it is seen, and after how many looks."""
    now, count, gauge = 0.0, 0, Gauge(limit, 0.0)
    tick = 0.02
    while not gauge.is_suspect():
        now += min(tick, gauge.next_look(LOOK_SECONDS)) if count else tick
        tick *= 2
        count += 1
        gauge.note(int(start + rate * now), now)
        assert count < 10_000
    return int(start + rate * now) - limit, count


@pytest.mark.parametrize("rate", [50e6, 200e6, 500e6, 1e9])
@pytest.mark.parametrize("limit", [200 * MIB, 1024 * MIB, 16384 * MIB])
def test_a_tree_is_seen_before_it_is_far_above_its_limit(limit: int, rate: float) -> None:
    above, count = looks(limit, rate)
    assert 0 < above <= SPARE * 1.2
    assert count < 200 + limit / rate * 2


def test_what_jumps_from_far_below_is_seen_in_time(rate: float = 500e6) -> None:
    """After a long quiet time the next look is still early enough, at what is reckoned with."""
    gauge = Gauge(1024 * MIB, 0.0)
    gauge.note(512 * MIB, 100.0)
    assert 512 * MIB + rate * gauge.next_look(LOOK_SECONDS) < 1024 * MIB + SPARE_WHILE_QUIET


@pytest.mark.parametrize(
    ("limit", "held"), [(0, 100 * MIB), (8192 * MIB, 100 * MIB), (4096 * MIB, 3000 * MIB)]
)
def test_far_from_its_limit_it_is_looked_at_once_a_second(limit: int, held: int) -> None:
    gauge = Gauge(limit, 0.0)
    gauge.note(held, 50.0)
    gauge.note(held, 51.0)
    assert gauge.next_look(LOOK_SECONDS) == LONGEST


def test_near_its_limit_it_is_looked_at_often_and_never_too_often() -> None:
    gauge = Gauge(100 * MIB, 0.0)
    gauge.note(99 * MIB, 1.0)
    assert 500e6 * gauge.next_look(LOOK_SECONDS) < 33 * MIB
    fast = Gauge(100 * MIB, 0.0)
    fast.note(99 * MIB, 0.001)
    assert fast.next_look(0.0) == SHORTEST


def test_looking_at_a_large_tree_is_not_done_all_the_time() -> None:
    gauge = Gauge(100 * MIB, 0.0)
    gauge.note(99 * MIB, 10.0)
    gauge.note(99 * MIB, 20.0)
    assert gauge.next_look(0.01) == 0.5


def test_shared_pages_do_not_look_like_growth() -> None:
    gauge = Gauge(100 * MIB, 0.0)
    for now in (10.0, 20.0, 30.0):
        gauge.note(240 * MIB, now)
        assert gauge.is_suspect()
        gauge.correct(80 * MIB)
        assert not gauge.is_suspect()
    assert gauge.next_look(LOOK_SECONDS) > 0.03
