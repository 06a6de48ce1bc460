"""Values in messages are short, on one line and hold no secrets of containers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard_cluster.quoted import LONGEST_SHOWN, quoted


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        (True, "True"),
        (-0.5, "-0.5"),
        ("a\nb", r"'a\nb'"),
        ("\u202e", r"'\u202e'"),
        ([1, "secret"], "a list"),
        ((1,), "a list"),
        ({"key": "secret"}, "a table"),
        (b"secret", "a value of type bytes"),
        (10**5000, "a number of more than 4300 digits"),
        ("x" * 100, "'" + "x" * 56 + "..."),
        (10**100, "1" + "0" * 56 + "..."),
    ],
    ids=range(12),
)
def test_a_value_is_shown_shortly(value: object, shown: str) -> None:
    assert quoted(value) == shown


@given(st.text() | st.integers() | st.floats() | st.lists(st.text()))
def test_no_value_is_long_or_breaks_the_line(value: object) -> None:
    assert len(quoted(value)) <= LONGEST_SHOWN
    assert quoted(value).isprintable()
