"""Who is told that the disk with its log is full, and how often."""

from __future__ import annotations

from runyard_actors.manager.full_disk import FULL_BYTES, DiskWatch
from tests.unit.manager.making import active


def test_each_attempt_is_told_once_and_only_while_there_is_no_room() -> None:
    watch, first, second = DiskWatch(), active(), active()
    assert watch.judge([first], FULL_BYTES) == []
    assert watch.judge([first], 0) == [first]
    assert watch.judge([first], 0) == [first], "it could not be written"
    watch.note([first])
    assert watch.judge([first, second], 0) == [second]
    first.attempt = 2
    assert watch.judge([first], 0) == [first]


def test_who_has_not_started_has_no_log() -> None:
    attempt = active()
    attempt.started = None
    assert DiskWatch().judge([attempt], 0) == []
