"""Times before the lines of a log."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard_actors.log_times import grown, stamped, times
from tests.unit.logs import naive

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


def test_lines_are_asked_for_their_times_by_where_they_begin(log: Path) -> None:
    found = times(log, log.parent / "output.idx", [8, 0, 4])
    assert [at[17:20] for at in found] == ["09.", "01.", "02."]
    assert found[1] == "1970-01-01T00:00:01.000000Z"


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


@given(
    naive.logs,
    st.lists(st.tuples(st.integers(1, 90), st.integers(0, 10**15)), max_size=9),
    st.integers(0, 90),
    st.none() | st.integers(0, 90),
)
def test_each_line_has_the_time_of_the_first_entry_past_its_start(
    data: bytes, entries: list[tuple[int, int]], start: int, limit: int | None
) -> None:
    entries.sort()
    end = len(data) if limit is None else min(len(data), start + limit)
    expected = b""
    for at in range(start, end):
        if at == 0 or data[at - 1 : at] == b"\n":
            when = next((time for size, time in entries if size > at), 7 * SECOND)
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=when)
            expected += moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ ").encode()
        expected += data[at : at + 1]
    with tempfile.TemporaryDirectory() as folder:
        log, index = Path(folder, "output.log"), Path(folder, "output.idx")
        log.write_bytes(data)
        os.utime(log, (7, 7))
        index.write_text("".join(f"{size} {time}\n" for size, time in entries))
        assert b"".join(stamped(log, index, start, limit)) == expected


def test_words_stand_where_bytes_were_dropped(log: Path) -> None:
    log.write_bytes(b"one\nbe" + b"\0" * 50 + b"gin\ntwo")
    os.utime(log, (9, 9))
    text = b"".join(stamped(log, log.parent / "output.idx", gap=(6, 56))).decode()
    assert text.split("\n") == [
        "1970-01-01T00:00:01.000000Z one",
        "1970-01-01T00:00:02.000000Z be",
        "[runyard: 50 bytes are left out here: the log passed its limit]",
        "gin",
        "1970-01-01T00:00:09.000000Z two",
    ]


def test_a_log_had_grown_as_far_at_a_moment_as_it_was_seen_by_then(log: Path) -> None:
    index = log.parent / "output.idx"
    found = [grown(log, index, round(second * SECOND)) for second in (0.5, 1, 1.9, 2, 8, 9, 100)]
    assert found == [0, 4, 4, 8, 8, 13, 13]
    index.write_text(f"400 {SECOND}\n")
    assert grown(log, index, SECOND) == 13
    log.unlink()
    assert grown(log, index, SECOND) == 0


@given(
    naive.logs,
    st.lists(st.tuples(st.integers(1, 90), st.integers(0, 10**12)), max_size=9),
    st.integers(0, 10**12),
)
def test_what_a_log_had_grown_to_has_times_up_to_that_moment_and_what_came_after_it_has_not(
    data: bytes, entries: list[tuple[int, int]], at: int
) -> None:
    # What is written grows: a later entry says more.
    sizes, moments = zip(*entries, strict=True) if entries else ((), ())
    with tempfile.TemporaryDirectory() as folder:
        log, index = Path(folder, "output.log"), Path(folder, "output.idx")
        log.write_bytes(data)
        index.write_text("".join(f"{s} {t}\n" for s, t in zip(sorted(sizes), sorted(moments), strict=True)))
        end = grown(log, index, at)
        offsets = list(range(len(data)))
        moment = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).isoformat(
            timespec="microseconds"
        )
        then = moment.replace("+00:00", "Z")
        assert [seen <= then for seen in times(log, index, offsets)] == [offset < end for offset in offsets]
