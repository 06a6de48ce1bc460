"""How a batch stands while its runs change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runyard.cli.tally import ENDED, Tally
from tests.unit.cli.playing import ended_json, run_json


def test_a_run_counts_as_ended_once_whatever_comes_again() -> None:
    tally = Tally(2)
    assert not tally.take(run_json("a", status="running"))
    assert tally.take(ended_json("a", "failed"))
    assert not tally.take(ended_json("a", "failed"))
    assert not tally.take(run_json("a", status="running"))
    assert (tally.ended, tally.has_failed, tally.is_done, tally.running()) == (1, True, False, [])


def test_a_retry_puts_a_run_back_into_the_queue() -> None:
    tally = Tally(1)
    tally.take(run_json("a", status="running"))
    tally.take(run_json("a", status="queued", attempt=1))
    assert tally.counts["queued"] == 1 and tally.running() == []


def test_the_time_left_goes_by_the_pace_so_far() -> None:
    tally = Tally(4)
    assert tally.eta_seconds(10.0) is None
    tally.take(ended_json("a"))
    tally.take(run_json("b", status="running", progress=0.6))
    assert tally.progress == 0.4 and tally.eta_seconds(10.0) == 15.0
    for run_id in "bcd":
        tally.take(ended_json(run_id))
    assert tally.is_done and tally.eta_seconds(10.0) is None


def test_before_there_is_a_pace_the_time_left_is_what_was_expected() -> None:
    tally = Tally(2)
    tally.expected_seconds = 30.0
    assert (tally.eta_seconds(0.0), tally.eta_seconds(12.0), tally.eta_seconds(40.0)) == (30.0, 18.0, 0.0)
    tally.take(ended_json("a"))
    assert tally.eta_seconds(50.0) == 50.0


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["queued", "running", *ENDED]))))
def test_the_counts_always_add_up(states: list[tuple[str, str]]) -> None:
    tally = Tally(4)
    for run_id, status in states:
        tally.take(run_json(run_id, status=status))
    assert sum(tally.counts.values()) == 4 and min(tally.counts.values()) >= 0
    assert len(tally.failures) == tally.counts["failed"] + tally.counts["cancelled"]
    assert 0.0 <= tally.progress <= 1.0
