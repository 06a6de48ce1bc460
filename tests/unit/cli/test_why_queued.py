"""A run that is waited for says why it has not started, and falls silent once it has."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.cli.why_queued import telling_why_queued
from tests.support import wait_until
from tests.unit.cli.playing import run_json


class Answers:
    """A client that gives one answer after the other, the last one for ever."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.left = list(answers)
        self.asked = 0

    def run(self, run_id: str) -> dict[str, Any]:
        self.asked += 1
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


def test_each_reason_is_said_once_and_nothing_after_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    slots, memory = (run_json(waiting_for=words) for words in ("2 of 2 slots are taken", "4 GiB memory"))
    client: Any = Answers(slots, slots, memory, run_json(status="running"))
    with telling_why_queued(client, "01A", patience=0.001, again=0.001):
        wait_until(lambda: client.asked == 4, 5, "the run has started")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "runyard: queued: 2 of 2 slots are taken",
        "runyard: queued: 4 GiB memory",
    ]


def test_a_run_that_starts_in_time_is_not_asked_about() -> None:
    client: Any = Answers(run_json())
    with telling_why_queued(client, "01A", patience=60):
        pass
    assert client.asked == 0
