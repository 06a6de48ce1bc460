"""A run that had too little memory is queued again with more, as far as a node has it."""

from __future__ import annotations

import pytest

from runyard_actors.request import Request
from runyard_actors.run import RunId
from tests.unit.scheduling.playing import GIB, Play, batch, node, request, run


def larger(play: Play, asked: Request, factor: float = 1.5, *, of_gpu: bool = False) -> float | None:
    """Return the GiB that follow."""
    found = play.core.with_more_memory(asked, factor, of_gpu=of_gpu)
    if found is None:
        return None
    return (found.gpu_memory_bytes if of_gpu else found.memory_bytes) / GIB


@pytest.mark.parametrize(
    ("gib", "factor", "expected"),
    [
        (1, 1.5, 1.5),
        (1, 1, None),
        (20, 1.5, 30),
        (30, 1.5, 32),
        (32, 1.5, None),
        (40, 1.5, None),
        (0, 1.5, None),
    ],
)
def test_it_is_the_factor_times_as_much_but_never_more_than_a_node_has(
    gib: float, factor: float, expected: float | None
) -> None:
    assert larger(Play(node(gib=32), node("small", gib=4)), request(gib=gib), factor) == expected


def test_a_large_node_that_lacks_something_else_does_not_count() -> None:
    play = Play(node("wide", cpus=2, gib=64), node("fast", cpus=8, gib=16))
    assert larger(play, request(cpus=4, gib=12), 2) == 16
    assert larger(play, request(cpus=2, gib=12), 2) == 24
    assert larger(play, request(cpus=4, gib=16), 2) is None


def test_gpu_memory_is_what_enough_gpus_of_one_node_have() -> None:
    play = Play(node("a", gpus=(8, 24)), node("b", gpus=(16, 16)))
    assert larger(play, request(gpu_gib=8), 2, of_gpu=True) == 16
    assert larger(play, request(gpu_gib=16), 2, of_gpu=True) == 24
    assert larger(play, request(gpus=2, gpu_gib=8), 4, of_gpu=True) == 16
    assert larger(play, request(gpus=2, gpu_gib=16), 4, of_gpu=True) is None
    assert larger(Play(node()), request(gib=1), 2, of_gpu=True) is None


def test_without_a_node_nothing_is_more() -> None:
    assert larger(Play(), request(gib=1)) is None


def test_the_largest_size_there_is_does_not_overflow() -> None:
    assert larger(Play(node(gib=32)), Request(memory_bytes=2**63 - 1), 16) is None


def test_a_retry_frees_what_it_held_and_asks_for_more() -> None:
    # Given a run of 6 GiB on a node of 16, and another of 8 beside it
    play = Play(node(gib=16))
    assert play.submit(run("a", gib=6), run("b", gib=8)) == ["a", "b"]
    # When the first ends for want of memory
    play.core.on_ended(RunId("a"), succeeded=False, retry=True, request=request(cpus=1, gib=9))
    # Then it waits for what it asks now, and holds that once it runs
    assert play.starts() == []
    assert play.why("a") == "9 GiB memory: most free on one node is 8 GiB (ws1)"
    assert play.end("b") == ["a"]
    assert play.core.free_on("ws1").memory_bytes == 7 * GIB
    assert play.end("a") == []
    assert play.core.free_on("ws1").memory_bytes == 16 * GIB


def test_a_retry_with_more_memory_keeps_to_its_batch() -> None:
    play = Play(node(gib=16))
    runs = (run("a", gib=4, batch="x"), run("b", gib=4, batch="x"))
    assert play.submit(*runs, batch=batch("x", max_concurrent=1)) == ["a"]
    play.core.on_ended(RunId("a"), succeeded=False, retry=True, request=request(cpus=1, gib=8))
    assert play.starts() == ["b"]
    assert play.why("a") == "1 of 1 slots of batch x are taken"
    assert play.end("b") == ["a"]
