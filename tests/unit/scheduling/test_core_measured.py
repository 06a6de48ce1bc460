"""What is truly free: no run starts on memory that other programs hold, or that active runs are yet to take."""

from __future__ import annotations

from runyard_actors.run import RunId
from runyard_actors.scheduling.node import Measured, Use
from tests.unit.scheduling.playing import GIB, Play, node, request, run


def learn(play: Play, gib: float, *gpu_gib: float | None, name: str = "ws1", **used: float) -> list[str]:
    """Say how much is free, and what runs use, in GiB; return who starts."""
    gpus = tuple(None if each is None else int(each * GIB) for each in gpu_gib)
    uses = {RunId(key): Use(memory_bytes=int(each * GIB)) for key, each in used.items()}
    play.core.on_measured(name, Measured(memory_bytes=int(gib * GIB), gpu_memory_bytes=gpus, used=uses))
    return play.starts()


def test_two_runs_that_take_their_memory_late_do_not_collide() -> None:
    # Given 24 GiB of which other programs use 9, and two runs that declared 6 and 5.875 and use next to nothing yet
    play = Play(node(gib=24))
    assert learn(play, 15) == []
    assert play.submit(run("a", gib=6), run("b", gib=5.875)) == ["a", "b"]
    assert learn(play, 14.5, a=0.5) == []
    # Then what they are yet to take is not given away, although nearly all of it is free
    assert play.submit(run("c", gib=4)) == []
    assert play.why("c") == (
        "4 GiB memory: 3.1 GiB of 24 GiB on ws1 are free when the 2 running runs take what they declared "
        "(other programs use 9 GiB)"
    )
    # And when one has ended without having taken it, it is given to another at once
    assert play.end("b") == ["c"]


def test_what_a_run_has_taken_counts_once() -> None:
    play = Play(node(gib=16))
    assert learn(play, 16) == []
    play.submit(run("a", gib=8), run("b", gib=8))
    play.end("b")
    assert learn(play, 8, a=8) == []
    assert play.submit(run("c", gib=8)) == ["c"]


def test_other_programs_that_let_go_make_room() -> None:
    play = Play(node(gib=16))
    assert learn(play, 3) == []
    assert play.submit(run("a", gib=4)) == []
    assert play.why("a") == "4 GiB memory: 3 GiB of 16 GiB on ws1 are free (other programs use 13 GiB)"
    assert play.core.can_ever_fit(request(gib=16)) is None
    assert learn(play, 3.5) == []
    assert learn(play, 4) == ["a"]


def test_a_run_that_other_programs_leave_no_room_holds_up_nobody() -> None:
    play = Play(node(cpus=8, gib=16))
    assert learn(play, 6) == []
    assert play.submit(run("large", gib=12), run("small", gib=2), run("next", gib=2)) == ["small", "next"]
    assert play.core.head is None
    # Given that they let go, it waits for active runs alone, and is not overtaken any more
    assert learn(play, 10, small=2, next=2) == []
    assert play.submit(run("last", gib=2)) == []
    assert play.end("small", "next") == ["large", "last"]


def test_room_is_kept_for_a_run_that_active_ones_leave_none() -> None:
    play = Play(node(cpus=8, gib=16))
    assert learn(play, 14) == []
    assert play.submit(run("a", gib=4), run("large", gib=12), run("small", gib=4)) == ["a"]
    assert play.why("large") == (
        "12 GiB memory: 10 GiB of 16 GiB on ws1 are free when the running run takes what it declared "
        "(other programs use 2 GiB)"
    )
    assert play.end("a") == ["large"]


def test_a_run_that_asks_for_no_memory_starts_though_none_is_left() -> None:
    play = Play(node(gib=16))
    assert learn(play, -1) == []
    assert play.submit(run("a"), run("b", gib=0.5)) == ["a"]


def test_each_gpu_counts_by_itself() -> None:
    play = Play(node(gib=16, gpus=(24, 24)))
    assert learn(play, 16, 10, 6) == []
    started = run("a", gpu_gib=8), run("b", gpu_gib=4), run("c", gpu_gib=4)
    assert play.submit(*started) == ["a", "b"]
    assert play.why("c") == (
        "4 GiB gpu_memory: 2 GiB of 24 GiB on one GPU (ws1, GPU 0) are free when running runs take what they "
        "declared (other programs use 14 GiB)"
    )
    assert learn(play, 16, 10, None) == ["c"]


def test_a_whole_gpu_is_not_given_while_others_hold_the_memory_that_is_asked_of_it() -> None:
    play = Play(node(gpus=(24,)))
    assert learn(play, 16, 12) == []
    assert play.submit(run("a", gpus=1, gpu_gib=16), run("b", gpus=1, gpu_gib=12)) == ["b"]


def test_a_changed_capacity_does_not_make_it_forget() -> None:
    play = Play(node(gib=16, gpus=(24,)))
    assert learn(play, 4, 4) == []
    play.core.on_node(node(gib=32, gpus=(24,)))
    assert play.submit(run("a", gib=6), run("b", gpu_gib=6)) == []
    play.core.on_node_gone("ws1")
    play.core.on_node(node(gib=32, gpus=(24,)))
    assert play.starts() == ["a", "b"]


def test_a_node_that_is_not_there_is_no_error() -> None:
    assert learn(Play(node()), 4, name="elsewhere") == []


def test_who_could_wait_only_for_other_programs_is_not_the_head_any_more_when_its_node_has_shrunk() -> None:
    play = Play(node("a", gib=8), node("c", gib=8))
    assert learn(play, 0, name="a") == []
    assert play.submit(run("x", cpus=0, gib=6), run("head", cpus=0, gib=6), run("s", cpus=1)) == ["x", "s"]
    assert play.core.head is not None
    play.core.on_node(node("c", gib=4))
    assert play.starts() == []
    assert play.core.head is None
    assert play.end("x") == []
    assert learn(play, 8, name="a") == ["head"]
