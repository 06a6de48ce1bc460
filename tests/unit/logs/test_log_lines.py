"""Lines by their numbers, from an index that grows with the log."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard_actors import log_lines
from runyard_actors.log_file import Gap, Log
from runyard_actors.log_lines import LogLines
from tests.unit.logs import naive


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "output.log"


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_lines, "STEP", 8)
    monkeypatch.setattr(log_lines, "WORTH_SAVING", 1)


def shown(data: bytes) -> list[tuple[int, int, str]]:
    """Return number, offset and text of all lines, the simple way."""
    texts = [
        line.removesuffix(b"\n").decode("utf-8", "replace").removesuffix("\r") for line in naive.split(data)
    ]
    return list(zip(range(1, len(texts) + 1), naive.starts(data), texts, strict=True))


def found(lines: LogLines, log: Log, first: int, last: int) -> list[tuple[int, int, str]]:
    return [(line.number, line.offset, line.text) for line in lines.lines(log, first, last).lines]


@given(
    st.lists(naive.logs, min_size=1, max_size=4), st.integers(1, 70), st.integers(0, 70), st.integers(1, 20)
)
def test_lines_are_those_that_splitting_gives_while_the_log_grows(
    parts: list[bytes], first: int, more: int, step: int
) -> None:
    lines = LogLines()
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(log_lines, "STEP", step)
        log = Log(path=Path(folder, "output.log"))
        data = b""
        for part in parts:
            data += part
            log.path.write_bytes(data)
            assert lines.count(log) == len(naive.split(data))
            assert found(lines, log, first, first + more) == shown(data)[first - 1 : first + more]
            lengths = [line.length for line in lines.lines(log, 1, 1_000).lines]
            assert lengths == [len(line.removesuffix(b"\n")) for line in naive.split(data)]
            numbers = [n for n, line in enumerate(naive.split(data), 1) for _ in line]
            assert lines.numbers(log, range(len(data))) == numbers


@given(naive.logs, st.integers(0, 100), st.integers(1, 100))
def test_a_gap_is_within_one_line_which_ends_there(data: bytes, at: int, zeros: int) -> None:
    data, gap = naive.with_gap(data, at, zeros)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(log_lines, "STEP", 8)
        log = Log(path=Path(folder, "output.log"), gap=gap)
        log.path.write_bytes(data)
        lines = LogLines()
        assert lines.count(log) == len(naive.split(data))
        got = lines.lines(log, 1, 1_000).lines
        assert [line.offset for line in got] == naive.starts(data)
        for line, raw in zip(got, naive.split(data), strict=True):
            within = line.offset <= gap[0] < line.offset + len(raw)
            assert line.is_cut or "\0" not in line.text
            assert line.is_cut <= within
            assert line.length == len(raw.removesuffix(b"\n"))


def test_a_growing_gap_makes_the_index_anew(path: Path, small_steps: None) -> None:
    path.write_bytes(b"a\n" * 20 + b"b\n" * 20)
    lines = LogLines()
    assert lines.count(Log(path=path)) == 40
    path.write_bytes(b"a\n" * 10 + b"\0" * 20 + b"b\n" * 20)
    assert lines.count(Log(path=path, gap=(20, 40))) == 30


def test_a_log_that_shrank_is_read_anew(path: Path) -> None:
    lines, log = LogLines(), Log(path=path)
    path.write_bytes(b"one\ntwo\nthree\n")
    assert lines.count(log) == 3
    path.write_bytes(b"x\n")
    assert found(lines, log, 1, 9) == [(1, 0, "x")]
    path.unlink()
    assert lines.count(log) == 0


def test_a_long_line_is_cut_between_characters(path: Path) -> None:
    long = "é" * log_lines.LINE_BYTES
    path.write_text(f"x{long}\nlast")
    cut, last = LogLines().lines(Log(path=path), 1, 2).lines
    assert cut.is_cut
    assert cut.text == "x" + "é" * (log_lines.LINE_BYTES // 2 - 1)
    assert (last.text, last.is_cut, last.offset) == ("last", False, 2 * log_lines.LINE_BYTES + 2)


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("more", [0, 1])
def test_a_line_is_cut_only_if_there_is_more_of_it(path: Path, end: bytes, more: int) -> None:
    path.write_bytes(b"x" * (log_lines.LINE_BYTES + more) + end)
    (line,) = LogLines().lines(Log(path=path), 1, 1).lines
    assert line.is_cut == bool(more)
    assert len(line.text) == log_lines.LINE_BYTES


def test_one_answer_holds_so_many_bytes_however_many_lines_are_asked_for(path: Path) -> None:
    path.write_bytes((b"x" * 100_000 + b"\n") * 500)
    answer = LogLines().lines(Log(path=path), 1, 500)
    assert answer.total == 500
    assert 1 < len(answer.lines) < 500
    assert [line.number for line in answer.lines] == list(range(1, len(answer.lines) + 1))
    assert sum(len(line.text) for line in answer.lines) < log_lines.ANSWER_BYTES + log_lines.LINE_BYTES


def test_the_index_of_an_ended_log_is_saved_and_used(path: Path, small_steps: None) -> None:
    path.write_bytes(b"one\ntwo\nthree\n" * 10)
    log = Log(path=path, has_ended=True)
    assert LogLines().count(log) == 30
    saved = path.with_suffix(".lines")
    assert saved.exists()

    # Were the log read again, the other text would show in the number of lines.
    found_before = path.stat()
    path.write_bytes(b"\n" * found_before.st_size)
    os.utime(path, ns=(found_before.st_atime_ns, found_before.st_mtime_ns))
    assert LogLines().count(log) == 30


def test_the_index_of_a_live_log_is_not_saved(path: Path, small_steps: None) -> None:
    path.write_bytes(b"one\n" * 10)
    lines = LogLines()
    lines.count(Log(path=path))
    assert not path.with_suffix(".lines").exists()
    lines.count(Log(path=path, has_ended=True))
    assert path.with_suffix(".lines").exists()


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "words", "other log"])
def test_a_saved_index_that_does_not_fit_is_made_anew(path: Path, small_steps: None, damage: str) -> None:
    path.write_bytes(b"one\ntwo\nthree\n" * 10)
    log = Log(path=path, has_ended=True)
    LogLines().count(log)
    saved = path.with_suffix(".lines")
    data = saved.read_bytes()
    if damage == "other log":
        path.write_bytes(b"one\n" * 10)
    saved.write_bytes(
        {
            "cut": data[:-8],
            "flip": data[:-1] + bytes([data[-1] ^ 1]),
            "empty": b"",
            "words": b'["no"]\nindex',
            "other log": data,
        }[damage]
    )
    assert LogLines().count(log) == (10 if damage == "other log" else 30)
    assert saved.read_bytes() != b""


def test_an_index_that_cannot_be_saved_still_serves(tmp_path: Path, small_steps: None) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"one\n" * 10)
    (tmp_path / "output.lines").mkdir()
    assert LogLines().count(Log(path=path, has_ended=True)) == 10


def test_only_the_indexes_last_used_are_kept(tmp_path: Path) -> None:
    lines = LogLines(kept=2)
    logs = [Log(path=tmp_path / f"{n}.log") for n in range(5)]
    for log in logs:
        log.path.write_bytes(b"x\n")
        assert lines.count(log) == 1
    assert len(lines._indexes) == 2
    assert logs[-1].path in lines._indexes


def test_many_threads_see_whole_lines_of_a_growing_log(path: Path) -> None:
    lines, log = LogLines(), Log(path=path)
    path.touch()

    def look(_: int) -> None:
        answer = lines.lines(log, 1, 5_000)
        *ended, last = [line.text for line in answer.lines] or [""]
        assert ended == [str(n) for n in range(1, answer.total)]
        # A write across two pages of the file may be seen when the first of them has its part.
        assert str(answer.total).startswith(last)

    with path.open("ab", buffering=0) as file, ThreadPoolExecutor(4) as pool:
        checks: list[Iterator[None]] = []
        for number in range(1, 2_001):
            file.write(b"%d\n" % number)
            if number % 20 == 0:
                checks.append(pool.map(look, range(2)))
        for check in checks:
            list(check)
    assert lines.count(log) == 2_000


def test_nothing_is_found_past_the_end_or_before_the_start(path: Path) -> None:
    path.write_bytes(b"one\ntwo")
    lines, log = LogLines(), Log(path=path)
    assert found(lines, log, 3, 9) == []
    assert found(lines, log, 0, 1) == [(1, 0, "one")]
    assert found(lines, log, 2, 1) == []
    assert lines.lines(log, 3, 9).total == 2


def test_a_huge_gap_costs_nothing(path: Path) -> None:
    hole = 1 << 40
    with path.open("wb") as file:
        file.write(b"one\nbegin")
        file.seek(hole)
        file.write(b"end\nlast\n")
    gap: Gap = (9, hole)
    log = Log(path=path, gap=gap)
    assert [line.text for line in LogLines().lines(log, 1, 9).lines] == ["one", "begin", "last"]
