"""Runs that may start on one node only, by its name."""

from __future__ import annotations

from runyard_actors.run import RunId
from tests.unit.scheduling.playing import Play, node, request, run


def test_a_run_starts_on_the_node_that_it_wants_and_on_no_other() -> None:
    play = Play(node("ws1"), node("ws2", cpus=2))
    play.core.on_submitted([run("a", node="ws2"), run("b", node="ws2"), run("c", node="ws2"), run("d")])
    placements = play.placements()
    assert {str(run_id): at.node for run_id, at in placements.items() if run_id != "d"} == {
        "a": "ws2",
        "b": "ws2",
    }
    assert RunId("d") in placements, "it may start on the other node"
    assert play.why("c") == "1 CPU: most free on one node is 0 CPUs (ws2)"
    assert play.end("a") == ["c"]


def test_a_run_waits_for_a_node_that_is_not_up_or_holds_starts_while_others_are_free() -> None:
    play = Play(node("ws1"), node("ws2"))
    play.core.on_guard("ws2", "drained")
    assert play.submit(run("a", node="ws2"), run("b")) == ["b"]
    assert play.why("a") == "drained (ws2)"
    play.core.on_node_gone("ws2")
    assert play.starts() == []
    assert play.why("a") == "node ws2 is not up"
    play.core.on_node(node("ws2"))
    assert play.starts() == ["a"]


def test_what_a_node_can_never_hold_is_told_with_its_name() -> None:
    core = Play(node("ws1"), node("ws2", cpus=2, gpus=(8,))).core
    assert core.can_ever_fit(request(cpus=2, node="ws2")) is None
    assert core.can_ever_fit(request(cpus=4)) is None
    assert core.can_ever_fit(request(cpus=4, node="ws2")) == (
        "node ws2 could never hold it: 4 CPUs: most on one node is 2 CPUs (ws2)"
    )
    assert core.can_ever_fit(request(gpus=1, node="ws1")) == (
        "node ws1 could never hold it: 1 GPU: no node has a GPU"
    )
    assert core.can_ever_fit(request(cpus=1, node="ws3")) == (
        "no node is called 'ws3'; those that are up: ws1, ws2"
    )
