"""Runs that differ in their arguments alone are checked once, and nobody can tell from what comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runyard.server.likeness import Likeness

RUN = {"command": ["train"], "num_cpus": 0.5, "memory": "1GiB", "labels": {"sweep": "a"}}

#: Some that pass, some that do not, and some that Python takes for each other.
_WHOLE = st.sampled_from([0, 1, 1.0, True, False, -0.0, None, "1", 10**7])
_ARGS = st.one_of(
    st.lists(st.sampled_from(["", "--lr", "0.1", "ü", "a\0b", "x" * 140_000, 1, None, True]), max_size=3),
    st.sampled_from([None, "text", {"a": 1}, [["deep"]]]),
)
_RUNS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"command": st.sampled_from([["train"], ["train", "x"], [""], [], ["train", 1]])},
            optional={"args": _ARGS, "priority": _WHOLE, "num_cpus": _WHOLE, "hold": _WHOLE, "who": _WHOLE},
        ),
        st.sampled_from([None, [], "run", 3]),
    ),
    max_size=8,
)


def checked(likeness: Likeness, given: Any) -> Any:
    try:
        run, args = likeness.checked(given)
    except ValidationError as error:
        return error.errors(include_context=False, include_url=False)
    return run.model_dump(exclude={"args"}), list(args)


def test_those_that_differ_in_their_arguments_share_what_was_checked() -> None:
    likeness = Likeness()
    first, args = likeness.checked({**RUN, "args": ["--lr", "0.1"]})
    second, more = likeness.checked({**RUN, "args": ["--lr", "0.2"]})
    third, none = likeness.checked(RUN)
    assert first is second is third
    assert (args, more, none) == (["--lr", "0.1"], ["--lr", "0.2"], [])


@given(_RUNS)
def test_each_is_taken_or_refused_as_if_it_stood_alone(runs: list[Any]) -> None:
    likeness = Likeness()
    for run in runs:
        assert checked(likeness, run) == checked(Likeness(), run)


@pytest.mark.parametrize(("first", "second"), [(1, True), (0, False)])
def test_what_python_takes_for_a_number_is_none(first: int, second: bool) -> None:
    likeness = Likeness()
    likeness.checked({**RUN, "priority": first})
    with pytest.raises(ValidationError, match="priority"):
        likeness.checked({**RUN, "priority": second})


def test_arguments_and_the_rest_together_keep_the_limit_of_a_process() -> None:
    # Given a run that is within the limit by less than a few arguments take
    env = {f"N{number}": "x" * 100_000 for number in range(19)} | {"LAST": "x" * 99_000}
    assert sum(map(len, env.values())) < 2_000_000
    likeness = Likeness()
    likeness.checked({"command": ["train"], "env": env})
    with pytest.raises(ValidationError, match="together"):
        likeness.checked({"command": ["train"], "env": env, "args": ["x" * 1_000]})


def test_a_run_that_is_nested_too_deeply_to_be_compared_is_refused_like_any_other() -> None:
    deep: Any = 1
    for _ in range(3_000):
        deep = [deep]
    for _ in range(2):
        with pytest.raises(ValidationError):
            Likeness().checked({"command": ["train"], "priority": deep})
