"""Warnings before a timeout: when they come, and of which runs they do not."""

from __future__ import annotations

from runyard_actors.manager.near_timeout import TimeoutWatch
from tests.unit.manager.making import active


def test_each_share_is_told_once() -> None:
    watch, attempt = TimeoutWatch(), active(timeout_seconds=100.0)
    told = [[words for _, words in watch.judge([attempt], at)] for at in (79.0, 80.0, 85.0, 90.0, 95.0)]
    assert told == [
        [],
        ["has run for 1 m 20 s, 80 % of its timeout of 1 m 40 s"],
        [],
        ["has run for 1 m 30 s, 90 % of its timeout of 1 m 40 s"],
        [],
    ]


def test_a_manager_that_comes_late_tells_the_highest_share_only() -> None:
    watch, attempt = TimeoutWatch(), active(timeout_seconds=100.0)
    assert [words for _, words in watch.judge([attempt], 95.0)] == [
        "has run for 1 m 35 s, 90 % of its timeout of 1 m 40 s"
    ]
    assert TimeoutWatch().judge([attempt], 101.0) == []


def test_nothing_is_told_of_runs_without_a_timeout_or_with_a_tiny_one() -> None:
    assert TimeoutWatch().judge([active(), active(timeout_seconds=4.0)], 3.9) == []


def test_nothing_is_told_once_a_run_was_held_still() -> None:
    watch, attempt = TimeoutWatch(), active(timeout_seconds=100.0)
    attempt.is_suspended = True
    assert watch.judge([attempt], 50.0) == []
    attempt.is_suspended = False
    assert watch.judge([attempt], 95.0) == []
