"""Durations: what is taken, what is refused and in which words, and that writing and reading agree."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard_cluster.durations import LONGEST, UNITS, format_duration, parse_duration
from runyard_cluster.errors import InvalidRequestError
from runyard_cluster.quoted import quoted


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0.0),
        (-0.0, 0.0),
        (90, 90.0),
        (0.25, 0.25),
        (1e12, 1e12),
        ("0", 0.0),
        ("90", 90.0),
        ("1.5", 1.5),
        ("90s", 90.0),
        ("30m", 1800.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("2w", 1209600.0),
        ("250ms", 0.25),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("1 h 30 m 5 s", 5405.0),
        ("1.5h", 5400.0),
        ("2H", 7200.0),
        (" 5 s ", 5.0),
    ],
)
def test_a_duration_is_taken(value: object, seconds: float) -> None:
    found = parse_duration(value)
    assert found == seconds
    assert math.copysign(1, found) == 1


@pytest.mark.parametrize(
    "value",
    [
        *(True, False, None, math.nan, math.inf, -math.inf, -1, -0.001, 1e13, 1e300, 10**400, 10**5000, 1j),
        *(
            "",
            " ",
            "s",
            "-5s",
            "-5",
            "+5",
            "5 5",
            "1e3",
            "5x",
            "5 sec",
            "90 seconds",
            "1:30",
            "1,5h",
            "h1",
            "ms",
        ),
        *(
            "nan",
            "inf",
            "NaN",
            "Infinity",
            "1e999",
            "30m!",
            "30m\0",
            "\u0663m",
            "\uff13m",
            "5s\u202e",
            "1h30",
            "0x5s",
        ),
        *("1" * 5000, "9" * 20_000_000, "1s" * 1_000_000, " " * 1_000_000, "999999999999999w"),
        *(b"5s", [5], {"timeout": 5}, object()),
    ],
    ids=quoted,
)
def test_what_is_no_duration_is_refused_saying_what_is_allowed(value: object) -> None:
    with pytest.raises(InvalidRequestError, match='allowed: seconds, or a text as "90s"') as caught:
        parse_duration(value)
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (1.2, "1.2 s"),
        (9.94, "9.9 s"),
        (9.97, "10 s"),
        (42.4, "42 s"),
        (59.6, "1 m 00 s"),
        (200, "3 m 20 s"),
        (3599.7, "1 h 00 m"),
        (7500, "2 h 05 m"),
        (86399.9, "1 d 00 h"),
        (4 * 86400 + 3 * 3600, "4 d 03 h"),
    ],
)
def test_a_duration_is_written_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(0, LONGEST))
def test_a_number_of_seconds_is_taken_as_it_is(seconds: float) -> None:
    assert parse_duration(seconds) == seconds


@given(st.integers(0, 10**6), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "]))
def test_a_whole_number_of_any_unit_is_exact(count: int, unit: str, gap: str) -> None:
    assert parse_duration(f"{count}{gap}{unit}") == count * UNITS[unit]


@given(st.floats(0, 1e10))
def test_what_is_written_is_read_back_as_near_as_it_was_written(seconds: float) -> None:
    unit = next(u for below, u in ((10, 0.051), (3600, 1), (86400, 60), (math.inf, 3600)) if seconds <= below)
    assert abs(parse_duration(format_duration(seconds)) - seconds) <= unit


@given(st.text(max_size=30))
def test_any_text_is_a_duration_or_an_invalid_request(text: str) -> None:
    try:
        assert 0 <= parse_duration(text) <= LONGEST
    except InvalidRequestError:
        pass
