"""A log that grows fast is looked at sooner, so that it is never far above its limit."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from runyard_actors.attempt_file import LOG
from runyard_actors.shim.log import SHORTEST, LogKeeper


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an attempt, which a shim lives in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_log_that_grows_fast_is_looked_at_soon(folder: Path) -> None:
    keeper = LogKeeper(1 << 20, time.monotonic())
    (folder / LOG).write_bytes(b"x" * (1 << 20))
    keeper.look()
    assert SHORTEST <= keeper.next_look() < 5


def test_a_quiet_log_and_one_without_a_limit_are_not(folder: Path) -> None:
    (folder / LOG).write_bytes(b"x" * 1000)
    unlimited, quiet = LogKeeper(0, time.monotonic()), LogKeeper(1 << 20, time.monotonic())
    for keeper in (unlimited, quiet):
        keeper.look()
        keeper.look()
        assert keeper.next_look() == math.inf
