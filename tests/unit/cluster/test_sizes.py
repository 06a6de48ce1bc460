"""Sizes: what is taken, what is refused and in which words, and that writing and reading agree."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard_cluster.errors import InvalidRequestError
from runyard_cluster.quoted import quoted
from runyard_cluster.sizes import LARGEST, UNITS, format_size, parse_size

KIB, MIB, GIB = 2**10, 2**20, 2**30


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (0, 0),
        (-0, 0),
        (1, 1),
        (LARGEST, LARGEST),
        ("0", 0),
        ("1024", 1024),
        ("1b", 1),
        ("12 B", 12),
        ("4GiB", 4 * GIB),
        ("4gib", 4 * GIB),
        ("4Gi", 4 * GIB),
        ("4g", 4 * GIB),
        ("4G", 4 * GIB),
        ("512MB", 512_000_000),
        ("512mb", 512_000_000),
        ("512MiB", 512 * MIB),
        ("64 GB", 64_000_000_000),
        ("64GB", 64_000_000_000),
        ("64GiB", 64 * GIB),
        ("1.5g", 1536 * MIB),
        ("0.5k", 512),
        (" 2m ", 2 * MIB),
        ("1T", 2**40),
        ("1PB", 10**15),
        ("7.5p", 15 * 2**49),
    ],
)
def test_a_size_is_taken(value: object, size: int) -> None:
    assert parse_size(value) == size


@pytest.mark.parametrize(
    "value",
    [
        *(True, False, None, 1.0, 1.5, -0.0, math.nan, math.inf, -math.inf, 1e300, 1j),
        *(-1, LARGEST + 1, 10**40, 10**5000, -(10**5000)),
        *("", " ", "GiB", ".5g", "1.", "1.5", "1.5b", "1.5 B", "-1", "+1", "-1g", "1e3", "0x10", "1_000"),
        *("64 gigs", "64 G B", "4 GiBs", "4X", "4 bytes", "1,5g", "1 000", "4GiB/s", "nan", "inf", "NaN"),
        *(
            "Infinity",
            "1e999",
            "9p999",
            "8192p",
            "10" * 30 + "g",
            "\u0664g",
            "\uff14g",
            "4\u202eg",
            "4g\0",
            "4\u00a0g",
        ),
        *("1" * 5000, "9" * 20_000_000, " " * 1_000_000),
        *(b"4g", [4], {"memory": 4}, (4, "g"), object()),
    ],
    ids=quoted,
)
def test_what_is_no_size_is_refused_saying_what_is_allowed(value: object) -> None:
    with pytest.raises(InvalidRequestError, match='allowed: whole bytes, or a text as "4GiB"') as caught:
        parse_size(value)
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


def test_what_a_container_holds_is_not_repeated() -> None:
    with pytest.raises(InvalidRequestError, match=r"^a table is not a size"):
        parse_size({"password": "secret"})


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (512 * MIB, "512 MiB"),
        (GIB - 1, "1.0 GiB"),
        (4 * GIB, "4 GiB"),
        (4 * GIB + 300 * MIB, "4.3 GiB"),
        (100 * GIB - 1, "100 GiB"),
        (int(123.4 * GIB), "123 GiB"),
        (2**50 * 5000, "5000 PiB"),
    ],
)
def test_a_size_is_written_for_people(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.integers(0, LARGEST))
def test_plain_bytes_are_read_as_they_are(size: int) -> None:
    assert parse_size(size) == parse_size(str(size)) == parse_size(f" {size} B") == size


@given(st.integers(0, 1000), st.sampled_from(sorted(UNITS)), st.booleans(), st.sampled_from(["", " ", "  "]))
def test_a_whole_number_of_any_unit_is_exact(count: int, unit: str, is_upper: bool, gap: str) -> None:
    text = f"{count}{gap}{unit.upper() if is_upper else unit}"
    assert parse_size(text) == count * UNITS[unit]


@given(st.integers(0, 2**62))
def test_what_is_written_is_read_back_as_near_as_it_was_written(size: int) -> None:
    again = parse_size(format_size(size))
    assert abs(again - size) <= size * 0.05
    # Rounding once is final: the words for it are the same.
    assert format_size(parse_size(format_size(again))) == format_size(again)


@given(st.integers(1, 1023), st.sampled_from([1, KIB, MIB, GIB, 2**40, 2**50]))
def test_a_whole_number_of_binary_units_is_written_and_read_exactly(count: int, unit: int) -> None:
    assert parse_size(format_size(count * unit)) == count * unit


@given(st.text(max_size=30))
def test_any_text_is_a_size_or_an_invalid_request(text: str) -> None:
    try:
        assert 0 <= parse_size(text) <= LARGEST
    except InvalidRequestError:
        pass
