"""Searching logs: the same occurrences as the simple way finds, in any log, within a time limit."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runyard_actors import log_file, log_match
from runyard_actors.log_file import Log
from runyard_actors.log_match import Spots
from runyard_actors.log_search import SHOWN, STUCK_SECONDS, Limits, Query, search
from runyard_cluster.errors import InvalidRequestError
from tests.support import processes_naming
from tests.unit.logs import naive

PATTERNS = (
    "a",
    "a+",
    "a*",
    "^a",
    "b$",
    "[^a]",
    ".",
    r"\s",
    r"\w+",
    "(?i)ab",
    "é|b",
    "a(?!b)",
    "x?",
    r"a\Z",
    "é.",
)
CATASTROPHE = "(a+)+b"


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(path=tmp_path / "output.log")


def blocks(data: bytes, size: int) -> list[tuple[int, bytes]]:
    return [(at, data[at : at + size]) for at in range(0, len(data), size)]


def listed(spots: Spots, data: bytes) -> list[tuple[int, int, int]]:
    return [(offset, length, data.count(b"\n", 0, offset) + 1) for offset, length in spots.listed]


@given(
    naive.logs,
    st.sampled_from(["a", "aa", "aaa", "ab", "é", "\U0001f680", "b\r"]),
    st.integers(1, 9),
    st.booleans(),
)
def test_a_text_is_found_wherever_blocks_are_cut(
    data: bytes, text: str, size: int, ignore_case: bool
) -> None:
    haystack, needle = (data.lower(), text.lower()) if ignore_case else (data, text)
    expected = [(m.start(), len(m.group())) for m in re.finditer(re.escape(needle.encode()), haystack)]
    spots = Spots(1_000)
    log_match.literal(blocks(data, size), text.encode(), spots, ignore_case=ignore_case)
    assert spots.listed == expected
    assert spots.count == len(expected)


@given(
    naive.logs,
    st.sampled_from(["a", "aa", "ab"]),
    st.integers(1, 9),
    st.integers(0, 5),
    st.integers(0, 80),
    st.integers(0, 9),
)
def test_all_are_counted_and_those_from_the_start_on_are_listed_up_to_the_limit(
    data: bytes, text: str, size: int, limit: int, start: int, skip: int
) -> None:
    offsets = [m.start() for m in re.finditer(text.encode(), data)]
    for find in ("literal", "pattern"):
        spots = Spots(limit, start, skip)
        if find == "literal":
            log_match.literal(blocks(data, size), text.encode(), spots)
        else:
            log_match.pattern(blocks(data, size), re.compile(text), spots)
        assert spots.count == len(offsets)
        expected = [(rank, at) for rank, at in enumerate(offsets) if at >= start and rank >= skip][:limit]
        assert [offset for offset, _ in spots.listed] == [at for _, at in expected]
        assert spots.before == (expected[0][0] if expected else len(offsets))


@given(naive.logs, st.sampled_from(PATTERNS), st.integers(1, 9))
def test_a_pattern_matches_within_lines_wherever_blocks_are_cut(data: bytes, pattern: str, size: int) -> None:
    spots = Spots(1_000)
    log_match.pattern(blocks(data, size), re.compile(pattern), spots)
    expected = naive.spots(data, re.compile(pattern))
    assert listed(spots, data) == expected
    assert spots.count == len(expected)


@given(naive.logs, st.integers(0, 80), st.integers(1, 50))
def test_nothing_is_found_in_a_gap_or_across_it(data: bytes, at: int, zeros: int) -> None:
    data, gap = naive.with_gap(data, at, zeros)
    with tempfile.TemporaryDirectory() as folder:
        log = Log(path=Path(folder, "output.log"), gap=gap)
        log.path.write_bytes(data)
        found = search(log, Query(text="a"))
        assert [hit.offset for hit in found.hits] == [m.start() for m in re.finditer(b"a", data)]
        assert all("\0" not in hit.before + hit.match + hit.after for hit in found.hits)
        zeros_found = Spots(10)
        log_match.pattern(log_file.kept(log.path, 0, len(data), gap), re.compile("\0"), zeros_found)
        assert zeros_found.count == 0


@settings(max_examples=25, deadline=None)
@given(naive.logs, st.sampled_from(PATTERNS), st.booleans())
def test_a_search_tells_place_line_and_text_of_each_hit(data: bytes, pattern: str, ignore_case: bool) -> None:
    flags = re.IGNORECASE if ignore_case else 0
    with tempfile.TemporaryDirectory() as folder:
        log = Log(path=Path(folder, "output.log"))
        log.path.write_bytes(data)
        query = Query(text=pattern, is_regex=True, ignore_case=ignore_case, limit=1_000)
        found = search(log, query)
    assert found.is_complete
    assert [(h.offset, h.length, h.line) for h in found.hits] == naive.spots(data, re.compile(pattern, flags))
    for hit in found.hits:
        raw = naive.split(data)[hit.line - 1].removesuffix(b"\n")
        at = hit.offset - naive.starts(data)[hit.line - 1]
        assert hit.before == raw[:at].decode("utf-8", "replace")
        assert hit.match == raw[at : at + hit.length].decode("utf-8", "replace")
        assert hit.after == raw[at + hit.length :].removesuffix(b"\r").decode("utf-8", "replace")


def test_other_letters_than_ascii_are_found_in_both_cases(log: Log) -> None:
    log.path.write_text("ÄRGER\närger\n.rger\n")
    found = search(log, Query(text="äRGER", ignore_case=True))
    assert [hit.line for hit in found.hits] == [1, 2]
    assert search(log, Query(text="(.", ignore_case=True)).count == 0


def test_a_hit_in_a_long_line_shows_2000_characters_around_it(log: Log) -> None:
    log.path.write_text("first\n" + "é" * 5_000 + "needle" + "\U0001f680" * 5_000 + "\nlast\n")
    (hit,) = search(log, Query(text="needle")).hits
    assert (hit.line, hit.match) == (2, "needle")
    assert len(hit.before + hit.match + hit.after) == SHOWN
    assert set(hit.before) == {"é"}
    assert set(hit.after) == {"\U0001f680"}


def test_a_hit_near_an_end_of_its_line_shows_more_of_the_other_side(log: Log) -> None:
    log.path.write_text("x" * 5_000 + "needle\nneedle" + "y" * 5_000)
    first, second = search(log, Query(text="needle")).hits
    assert (len(first.before), first.after) == (SHOWN - 6, "")
    assert (second.before, len(second.after)) == ("", SHOWN - 6)


def test_a_hit_longer_than_what_is_shown_is_cut(log: Log) -> None:
    log.path.write_bytes(b"<" + b"x" * 100_000 + b">")
    (hit,) = search(log, Query(text="x+", is_regex=True)).hits
    assert (hit.length, hit.match, hit.before, hit.after) == (100_000, "x" * SHOWN, "", "")


@pytest.mark.parametrize(
    ("pattern", "where"), [("(a", "position 0"), ("a**", "position 2"), ("[z-a]", "position 1")]
)
def test_a_wrong_pattern_is_an_error_that_says_where(log: Log, pattern: str, where: str) -> None:
    log.path.write_bytes(b"a\n")
    with pytest.raises(InvalidRequestError, match=where) as caught:
        search(log, Query(text=pattern, is_regex=True))
    assert caught.value.details[0]["field"] == "q"


@pytest.mark.parametrize("pattern", ["(" * 900 + ")" * 900, "a{99999999999999999999}"])
def test_a_pattern_that_python_cannot_hold_is_an_error(log: Log, pattern: str) -> None:
    log.path.write_bytes(b"a\n")
    with pytest.raises(InvalidRequestError, match="pattern"):
        search(log, Query(text=pattern, is_regex=True))


@pytest.mark.parametrize("text", ["", "a\nb"])
def test_a_search_for_nothing_or_for_more_than_a_line_is_an_error(log: Log, text: str) -> None:
    with pytest.raises(InvalidRequestError, match="within a line"):
        search(log, Query(text=text))


def test_a_pattern_that_gets_stuck_is_an_error_and_leaves_no_process(log: Log) -> None:
    log.path.write_bytes(b"a" * 40 + b"\n")
    start = time.monotonic()
    with pytest.raises(InvalidRequestError, match="takes too long"):
        search(log, Query(text=CATASTROPHE, is_regex=True), limits=Limits(stuck_seconds=0.3))
    assert time.monotonic() - start < STUCK_SECONDS
    assert not processes_naming("log_match import main")


def test_a_search_nobody_waits_for_ends_at_once(log: Log) -> None:
    log.path.write_bytes(b"a" * 40 + b"\n")
    start = time.monotonic()
    with pytest.raises(InvalidRequestError):
        search(log, Query(text=CATASTROPHE, is_regex=True), limits=Limits(is_wanted=lambda: False))
    assert time.monotonic() - start < STUCK_SECONDS
    assert not processes_naming("log_match import main")


@pytest.mark.parametrize("is_regex", [False, True])
def test_a_search_that_runs_out_of_time_says_how_far_it_came(log: Log, is_regex: bool) -> None:
    log.path.write_bytes(b"abc\n" * 200_000)
    found = search(log, Query(text="abc", is_regex=is_regex), limits=Limits(seconds=0))
    assert not found.is_complete
    assert found.searched_bytes == log_file.BLOCK
    assert found.count == log_file.BLOCK // 4


@pytest.mark.parametrize("is_regex", [False, True])
def test_an_empty_or_missing_log_has_no_hits(log: Log, is_regex: bool) -> None:
    found = search(log, Query(text="a", is_regex=is_regex))
    assert (found.count, found.hits, found.size, found.is_complete) == (0, (), 0, True)


def test_a_large_log_with_hits_everywhere_is_counted_exactly(log: Log) -> None:
    line = b"12345 the quick brown fox\n"
    log.path.write_bytes(line * 200_000)
    literal = search(log, Query(text="fox", limit=3))
    pattern = search(log, Query(text="f.x", is_regex=True, limit=3))
    assert literal.count == pattern.count == 200_000
    assert literal.hits == pattern.hits
    late = search(log, Query(text="fox", limit=2, start=len(line) * 199_999))
    assert [hit.line for hit in late.hits] == [200_000]


def test_a_line_longer_than_any_block_is_searched_whole_for_a_text(log: Log) -> None:
    log.path.write_bytes(b"x" * 3_000_000 + b"needle" + b"x" * 3_000_000)
    assert search(log, Query(text="needle")).count == 1
    assert search(log, Query(text="x")).count == 6_000_000
    assert search(log, Query(text="x" * 999)).count == 2 * (3_000_000 // 999)
