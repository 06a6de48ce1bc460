"""What is done for ever goes on after anything that goes wrong in one turn."""

from __future__ import annotations

import asyncio
import logging

import pytest

from runyard_actors.steps import Steps


async def work(error: BaseException | None = None) -> int:
    """Do what was asked for."""
    if error:
        raise error
    return 7


def done(steps: Steps, error: BaseException | None = None) -> int | None:
    """Do one step, in a loop of its own."""
    return asyncio.run(steps.do("looking", work(error)))


def test_a_step_that_fails_is_told_of_once_and_again_when_it_works(caplog: pytest.LogCaptureFixture) -> None:
    steps = Steps()
    with caplog.at_level(logging.WARNING, "runyard.steps"):
        assert [done(steps, ValueError("bad")) for _ in range(3)] == [None] * 3
        assert len(caplog.records) == 1
        assert done(steps) == done(steps) == 7
    told = [record.getMessage() for record in caplog.records if record.name == "runyard.steps"]
    assert told == ["looking failed, and is tried again", "looking: works again"]


def test_another_error_of_the_same_step_is_told_of_too(caplog: pytest.LogCaptureFixture) -> None:
    steps = Steps()
    with caplog.at_level(logging.WARNING, "runyard.steps"):
        for error in (ValueError("bad"), ValueError("worse")):
            done(steps, error)
    assert [str((record.exc_info or (None, None))[1]) for record in caplog.records] == ["bad", "worse"]


def test_who_is_to_stop_stops() -> None:
    with pytest.raises(asyncio.CancelledError):
        done(Steps(), asyncio.CancelledError())
