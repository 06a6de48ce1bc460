"""The front of the queue is what expectations are told of, and a run that never ends is expected to hold for ever."""

from __future__ import annotations

from math import inf

from runyard_actors.run import RunId
from runyard_actors.scheduling.core import Core
from tests.unit.scheduling.playing import node, run


def test_the_front_of_the_queue_is_what_is_told_of() -> None:
    core = Core(max_concurrent_runs=1)
    core.on_node(node())
    core.on_submitted([run("a"), run("b"), run("c"), run("first", priority=1)])
    assert [each.run_id for each in core.first_queued(3)] == ["first", "a", "b"]
    assert list(core.expected_starts({"m": 10.0}, {}, 3)) == ["first", "a", "b"]


def test_behind_a_suspended_run_nothing_is_expected_ever() -> None:
    core = Core(max_concurrent_runs=1)
    core.on_node(node())
    core.on_submitted([run("a"), run("b"), run("c")])
    core.decide()
    assert core.expected_starts({"m": 10.0}, {RunId("a"): 4.0}) == {"b": 6.0, "c": 16.0}
    assert core.expected_starts({"m": 10.0}, {RunId("a"): -inf}) == {"b": inf, "c": inf}
