"""A selector means the nodes whose labels are like it says, and what is none is refused in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard_actors.selector import check_selector, is_selector, selects

WS1 = (("gpu", "NVIDIA GeForce RTX 5090"), ("name", "ws1"), ("zone", "a"))
PLAIN = (("name", "plain"),)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("zone=a", (True, False)),
        ("zone==a", (True, False)),
        ("zone=b", (False, False)),
        ("zone!=a", (False, True)),
        ("zone!=b", (True, True)),
        ("gpu=*5090*", (True, False)),
        ("gpu=*rtx*", (True, False)),
        ("gpu=5090", (False, False)),
        ("gpu=*", (True, False)),
        ("gpu!=*", (False, True)),
        ("zone=a,gpu=*H100*", (False, False)),
        ("zone = a , gpu = *rtx 5090", (True, False)),
        ("name=ws?", (True, False)),
        ("ray.io/accelerator-type!=H100", (True, True)),
    ],
)
def test_it_means_the_nodes_that_are_like_it(selector: str, expected: tuple[bool, bool]) -> None:
    assert (selects(selector, WS1), selects(selector, PLAIN)) == expected


@pytest.mark.parametrize(
    "text", ["=a", "zone=", "zone=a,", ",zone=a", "zone=a,b", "!=a", "zone=a,,b=c", " = "]
)
def test_what_selects_nothing_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="selects no nodes: write it as key=value"):
        check_selector(text)
    assert not selects(text, WS1)


def test_a_name_is_none() -> None:
    assert not is_selector("ws1")


@given(st.text(st.characters(exclude_characters=",=!*?[]"), min_size=1).filter(str.strip))
def test_a_value_means_itself(value: str) -> None:
    value = value.strip()
    assert selects(f"zone={value}", (("zone", value),))
    assert not selects(f"zone!={value}", (("zone", value),))
