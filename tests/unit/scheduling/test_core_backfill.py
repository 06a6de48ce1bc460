"""Backfill: others may pass a run that no node has room for, but never delay it."""

from __future__ import annotations

from runyard_actors.run import Placement, RunId
from runyard_actors.scheduling.core import HeadOfQueue
from tests.unit.scheduling.playing import Play, batch, node, run


def test_a_small_run_does_not_take_what_the_head_waits_for() -> None:
    play = Play(node(cpus=8))
    assert play.submit(run("a", cpus=4), run("head", cpus=8), run("small", cpus=1)) == ["a"]
    assert play.core.head == HeadOfQueue(RunId("head"), Placement(node="ws1"))
    assert play.end("a") == ["head"]
    assert play.end("head") == ["small"]


def test_what_the_head_leaves_over_is_given_to_others() -> None:
    play = Play(node(cpus=8))
    assert play.submit(run("a", cpus=4), run("head", cpus=5), run("b", cpus=1)) == ["a"]
    play = Play(node(cpus=8, gib=8))
    first = [run("a", cpus=1, gib=6), run("head", cpus=4, gib=6), run("b", cpus=3), run("c", cpus=1)]
    assert play.submit(*first) == ["a", "b"]
    assert play.end("a") == ["head", "c"]


def test_runs_that_take_nothing_of_what_is_short_pass() -> None:
    play = Play(node(cpus=8, gib=8))
    assert play.submit(run("a", cpus=8), run("head", cpus=8), run("m", cpus=0, gib=8)) == ["a", "m"]


def test_other_nodes_are_open_to_all() -> None:
    play = Play(node("a", cpus=8), node("b", cpus=2))
    play.core.on_submitted([run("x", cpus=4), run("head", cpus=8), run("y"), run("z")])
    assert {r: p.node for r, p in play.placements().items()} == {"x": "a", "y": "b", "z": "b"}


def test_the_head_waits_where_least_is_missing_and_starts_wherever_it_fits() -> None:
    play = Play(node("a", cpus=8), node("b", cpus=8))
    play.submit(run("x", cpus=6), run("y", cpus=4))
    play.submit(run("head", cpus=8), run("small", cpus=2))
    assert play.core.head == HeadOfQueue(RunId("head"), Placement(node="b"))
    play.core.on_ended(RunId("x"), succeeded=True, retry=False)
    play.core.on_ended(RunId("small"), succeeded=True, retry=False)
    assert play.placements()[RunId("head")].node == "a"


def test_the_gpus_of_the_head_are_kept_and_others_given() -> None:
    play = Play(node(gpus=(8, 8, 8)))
    play.submit(run("a", gpus=0.5, gpu_gib=1), run("b", gpus=2))
    assert play.submit(run("head", gpus=1), run("c", gpus=0.5), run("d", cpus=1)) == ["d"]
    assert play.end("b") == ["head", "c"]


def test_a_fraction_fits_beside_the_head_on_the_gpu_that_is_kept() -> None:
    play = Play(node(gpus=(8,)))
    play.submit(run("a", gpus=0.75, gpu_gib=1))
    assert play.submit(run("head", gpus=0.5, gpu_gib=4), run("b", gpu_gib=4), run("c", gpu_gib=3)) == ["c"]
    assert play.end("a") == ["head"]


def test_the_head_stays_the_head_until_it_starts() -> None:
    play = Play(node(cpus=8))
    play.submit(run("a", cpus=4), run("b", cpus=4), run("head", cpus=8), run("s", cpus=1))
    for i in range(5):
        assert play.submit(run(f"n{i}", cpus=1, batch=f"b{i}"), batch=batch(f"b{i}")) == []
    assert play.end("a") == []
    assert play.end("b") == ["head"]


def test_the_next_blocked_run_is_the_head_once_the_first_is_gone() -> None:
    play = Play(node(cpus=8))
    play.submit(run("a", cpus=6), run("h1", cpus=8), run("h2", cpus=4), run("s", cpus=1), run("t", cpus=2))
    assert play.core.head == HeadOfQueue(RunId("h1"), Placement(node="ws1"))
    assert play.core.on_cancelled(RunId("h1"))
    assert play.starts() == []
    assert play.core.head == HeadOfQueue(RunId("h2"), Placement(node="ws1"))
    assert play.end("a") == ["h2", "s", "t"]


def test_a_higher_priority_takes_over() -> None:
    play = Play(node(cpus=8))
    play.submit(run("a", cpus=6), run("low", cpus=8), run("s", cpus=1))
    assert play.submit(run("high", cpus=7, priority=1), run("tiny", cpus=1, priority=2)) == ["tiny"]
    assert play.submit(run("t", cpus=1)) == []
    assert play.core.head == HeadOfQueue(RunId("high"), Placement(node="ws1"))
    assert play.end("a") == ["high"]


def test_a_run_that_waits_for_a_slot_keeps_no_room() -> None:
    play = Play(node(cpus=8))
    play.core.set_module_limit("train", 1)
    first = [run("t", cpus=4, module="train"), run("u", cpus=8, module="train"), run("other", cpus=4)]
    assert play.submit(*first) == ["t", "other"]
    assert play.core.head is None


def test_a_slot_of_its_module_is_kept_for_the_head() -> None:
    play = Play(node("a", cpus=8), node("b", cpus=2))
    play.core.set_module_limit("train", 1)
    play.submit(run("x", cpus=4))
    assert play.submit(run("head", cpus=8, module="train"), run("t", module="train"), run("u")) == ["u"]
    assert play.end("x") == ["head"]


def test_a_slot_of_its_batch_is_kept_for_the_head() -> None:
    play = Play(node("a", cpus=8), node("b", cpus=2))
    play.submit(run("x", cpus=4))
    limited = batch("b", max_concurrent=1)
    assert play.submit(run("head", cpus=8, batch="b"), run("t", batch="b"), batch=limited) == []
    assert play.end("x") == ["head"]


def test_when_the_node_is_gone_the_head_waits_elsewhere() -> None:
    play = Play(node("a", cpus=8), node("b", cpus=8))
    play.submit(run("x", cpus=4), run("y", cpus=6))
    play.submit(run("head", cpus=8), run("s", cpus=4))
    assert play.core.head == HeadOfQueue(RunId("head"), Placement(node="a"))
    play.core.on_node_gone("a")
    assert play.submit(run("t", cpus=1)) == []
    assert play.core.head == HeadOfQueue(RunId("head"), Placement(node="b"))
    assert play.end("y") == ["head"]


def test_when_the_node_has_become_too_small_the_head_waits_elsewhere() -> None:
    play = Play(node("a", cpus=8), node("b", cpus=8))
    play.submit(run("x", cpus=4), run("y", cpus=6))
    play.submit(run("head", cpus=8), run("s", cpus=4))
    assert play.core.head == HeadOfQueue(RunId("head"), Placement(node="a"))
    play.core.on_node(node("a", cpus=6))
    assert play.submit(run("t", cpus=2)) == ["t"]
    assert play.core.head == HeadOfQueue(RunId("head"), Placement(node="b"))
    assert play.end("y") == ["head"]


def test_a_head_does_not_wait_for_a_guarded_node_when_it_could_wait_elsewhere() -> None:
    play = Play(node("a", cpus=8), node("b", cpus=8))
    play.submit(run("x", cpus=4), run("y", cpus=6))
    play.submit(run("head", cpus=8), run("s", cpus=4))
    play.core.on_guard("a", "busy")
    assert play.submit(run("t", cpus=1)) == []
    assert play.core.head == HeadOfQueue(RunId("head"), Placement(node="b"))


def test_a_run_that_no_node_could_hold_keeps_no_room_and_holds_up_nobody() -> None:
    play = Play(node(cpus=8))
    assert play.submit(run("never", cpus=9), run("a", cpus=8)) == ["a"]
    assert play.core.head is None
    play.core.on_node(node("large", cpus=16))
    assert play.starts() == ["never"]


def test_a_head_that_needs_no_gpu_waits_where_there_is_none() -> None:
    """Room that is kept on a node with GPUs would leave these idle."""
    play = Play(node("with", cpus=8, gpus=(8,)), node("without", cpus=8))
    play.submit(run("a", cpus=6), run("b", cpus=1), run("c", cpus=4))
    play.core.on_submitted([run("head", cpus=8), run("g", cpus=2, gpus=1)])
    assert play.starts() == ["g"]
    assert play.core.head == HeadOfQueue(RunId("head"), Placement(node="without"))


def test_a_head_waits_on_a_node_with_gpus_if_no_other_could_hold_it() -> None:
    play = Play(node("with", cpus=8, gpus=(8,)), node("without", cpus=4))
    assert play.submit(run("a", cpus=2, gpus=0.5), run("head", cpus=8), run("g", cpus=1, gpus=0.5)) == ["a"]
    assert play.core.head == HeadOfQueue(RunId("head"), Placement(node="with"))
