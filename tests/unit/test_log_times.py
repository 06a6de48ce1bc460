"""Times before the lines of a log."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runyard_actors.log_times import stamped

SECOND = 1_000_000


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "output.log"
    path.write_bytes(b"one\ntwo\nthree")
    os.utime(path, (9, 9))
    (tmp_path / "output.idx").write_text(f"4 {SECOND}\nnonsense\n\n8 {2 * SECOND}\n12")
    return path


def lines(log: Path, start: int = 0, limit: int | None = None) -> list[str]:
    return b"".join(stamped(log, log.parent / "output.idx", start, limit)).decode().split("\n")


def test_a_line_has_the_time_when_the_log_grew_past_its_start(log: Path) -> None:
    assert lines(log) == [
        "1970-01-01T00:00:01.000000Z one",
        "1970-01-01T00:00:02.000000Z two",
        "1970-01-01T00:00:09.000000Z three",
    ]


def test_only_lines_that_begin_in_the_piece_have_a_time(log: Path) -> None:
    assert lines(log, 1, 5) == ["ne", "1970-01-01T00:00:02.000000Z tw"]
    assert lines(log, 4, 4) == ["1970-01-01T00:00:02.000000Z two", ""]


def test_a_line_longer_than_a_block_has_one_time(log: Path) -> None:
    log.write_bytes(b"x" * 200_000 + b"\ny\n")
    assert [len(line) for line in lines(log)] == [200_028, 29, 0]


def test_without_an_index_the_log_is_as_old_as_its_file(log: Path) -> None:
    (log.parent / "output.idx").unlink()
    os.utime(log, (7, 7))
    assert lines(log)[0] == "1970-01-01T00:00:07.000000Z one"
    log.unlink()
    assert lines(log) == [""]
