"""Byte ranges and last lines of a log."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard_actors import log_file
from tests.unit.logs import naive


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "output.log"


@given(naive.logs, st.integers(0, 70), st.integers(0, 100), st.integers(1, 50))
def test_the_last_lines_are_those_that_splitting_gives(data: bytes, wanted: int, at: int, zeros: int) -> None:
    data, gap = naive.with_gap(data, at, zeros)
    lines = naive.split(data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "output.log")
        path.write_bytes(data)
        expected = sum(map(len, lines[: max(0, len(lines) - wanted)]))
        assert log_file.tail_offset(path, wanted) == expected
        assert log_file.tail_offset(path, wanted, gap) == expected


def test_last_lines_are_found_across_blocks(log: Path) -> None:
    long = b"x" * (2 * log_file.BLOCK + 5)
    log.write_bytes(b"one\n" + long + b"\nthree")
    assert log_file.tail_offset(log, 1) == 4 + len(long) + 1
    assert log_file.tail_offset(log, 2) == 4
    assert log_file.tail_offset(log, 3) == 0
    assert log_file.tail_offset(log, 4) == 0


def test_last_lines_before_an_offset_do_not_count_what_came_after_it(log: Path) -> None:
    log.write_bytes(b"one\ntwo\nthree\n")
    assert log_file.tail_offset(log, 1, end=8) == 4


def test_reading_gives_the_bytes_asked_for_and_no_more(log: Path) -> None:
    data = bytes(range(256)) * 4_000
    log.write_bytes(data)
    assert b"".join(log_file.read(log, 0)) == data
    assert b"".join(log_file.read(log, 1_000, 700_000)) == data[1_000:701_000]
    assert b"".join(log_file.read(log, len(data) + 5)) == b""
    assert b"".join(log_file.read(log, 0, 0)) == b""


def test_a_log_that_is_not_there_yet_is_empty(log: Path) -> None:
    assert log_file.size(log) == 0
    assert list(log_file.read(log, 0)) == []
    assert list(log_file.read(log, 0, 5)) == []
    assert log_file.tail_offset(log, 3) == 0


def test_what_is_kept_leaves_the_gap_out(log: Path) -> None:
    log.write_bytes(b"begin" + b"\0" * 100 + b"end")
    gap = (5, 105)
    assert list(log_file.kept(log, 0, 108, gap)) == [(0, b"begin"), (105, b"end")]
    assert list(log_file.kept(log, 3, 50, gap)) == [(3, b"in")]
    assert list(log_file.kept(log, 50, 107, gap)) == [(105, b"en")]
    assert list(log_file.kept(log, 10, 20, gap)) == []


def test_people_see_words_where_bytes_were_dropped(log: Path) -> None:
    log.write_bytes(b"begin" + b"\0" * 100 + b"end")
    words = b"\n[runyard: 100 bytes are left out here: the log passed its limit]\n"
    assert b"".join(log_file.shown(log, 0, 108, (5, 105))) == b"begin" + words + b"end"
    assert b"".join(log_file.shown(log, 0, 108)) == log.read_bytes()
