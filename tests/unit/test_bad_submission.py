"""What Python hands over that is no run: told with its place, before a server is asked for."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runyard.module import Module, body_of
from runyard.request_body import encoded
from runyard.submission import submit_batch
from runyard_cluster.errors import InvalidRequestError


class Odd:
    """Something that is no value of JSON."""


def circle() -> dict[str, Any]:
    found: dict[str, Any] = {}
    found["labels"] = found
    return found


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"runs": [{}, {"num_cpus": math.nan}]}, "runs[1].num_cpus: nan"),
        ({"timeout": -math.inf}, "timeout: -inf"),
        ({"command": ["a", b"b"]}, "command[1]: a value of type bytes"),
        ({"env": {"A": Odd()}}, "env.A: a value of type Odd"),
        ({"labels": {("a", "b"): "c"}}, "labels has a key that is no text: a list"),
        ({"name": "a\ud800"}, "name: 'a\\ud800' holds half a character"),
        ({"env": {"\udfff": ""}}, "env has a key that is no text"),
        (circle(), "Circular reference"),
    ],
)
def test_what_cannot_be_sent_is_named_with_its_place(body: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encoded(body)
    assert place in str(caught.value)
    assert str(caught.value).isprintable()


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_what_is_nested_too_deeply_is_said_to_be() -> None:
    with pytest.raises(InvalidRequestError, match="nested too deeply"):
        encoded(deep(100_000))
    with pytest.raises(InvalidRequestError, match="nested too deeply"):
        body_of({"command": deep(100_000)})
    with pytest.raises(InvalidRequestError, match="nested too deeply"):
        body_of(circle())


def test_every_bad_index_is_told_at_once() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        submit_batch([{"command": ["true"]}, 5, "true", ("a",), *[None] * 5])  # type: ignore[list-item] # on purpose
    assert [each["index"] for each in caught.value.details] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert "runs[1]: a run is a Module, a dict" in str(caught.value)
    assert "and 3 more" in str(caught.value)


def test_a_field_is_left_out_only_where_it_says_no_more_than_its_default() -> None:
    given = Module("m", num_cpus=False, priority=0, command=[], args=[], hold=False, after=())
    assert given.body() == {"module_id": "m", "num_cpus": False, "priority": 0, "command": []}
    assert body_of({"memory": False, "labels": {}}) == {"memory": False, "labels": {}}


def test_the_arguments_of_a_tuple_stay_what_they_are() -> None:
    assert body_of(("m", Path("x.py"), ["1"])) == {"module_id": "m", "script": "x.py", "args": ["1"]}
    assert body_of(("m", "x.py", map(str, range(2))))["args"] == ["0", "1"]  # type: ignore[arg-type] # an iterator
    assert body_of(("m", "x.py", "12"))["args"] == "12", "a text is no list, which the server says"
    assert body_of(("m", "x.py", 5)) == {"module_id": "m", "script": "x.py", "args": 5}  # type: ignore[arg-type] # on purpose


SOME = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary(max_size=3),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)


@SOME
@given(
    st.dictionaries(st.sampled_from(["command", "args", "num_cpus", "env", "after", "cwd", "script"]), VALUES)
)
def test_any_fields_are_sent_or_refused_in_words(fields: dict[str, Any]) -> None:
    try:
        encoded(body_of(fields))
    except InvalidRequestError as error:
        assert "cannot be sent as JSON: " in str(error)
