"""Where runs fit: nodes' ledgers, and single GPUs."""

from __future__ import annotations

from runyard_actors.run import Placement, RunId
from tests.unit.scheduling.playing import Play, node, request, run


def test_declared_memory_of_active_runs_never_exceeds_the_node() -> None:
    play = Play(node(gib=10))
    assert play.submit(*[run(f"r{i}", cpus=0, gib=4) for i in range(3)]) == ["r0", "r1"]
    assert play.end("r0") == ["r2"]


def test_a_run_of_zero_cpus_always_fits() -> None:
    play = Play(node(cpus=1))
    assert play.submit(run("full", cpus=1), run("none", cpus=0)) == ["full", "none"]


def test_the_next_node_is_used_when_one_is_full() -> None:
    play = Play(node("a", cpus=2), node("b", cpus=2))
    play.core.on_submitted([run(f"r{i}") for i in range(4)])
    assert [p.node for p in play.placements().values()] == ["a", "a", "b", "b"]


def test_runs_without_a_gpu_leave_gpu_nodes_to_others() -> None:
    play = Play(node("gpu", gpus=(8,)), node("plain"))
    play.core.on_submitted([run("r"), run("g", gpus=1)])
    assert {r: p.node for r, p in play.placements().items()} == {"r": "plain", "g": "gpu"}


def test_gpu_memory_comes_from_one_gpu() -> None:
    play = Play(node(gpus=(8, 8)))
    assert play.core.can_ever_fit(request(gpu_gib=12)) is not None
    assert play.core.can_ever_fit(request(gpu_gib=8)) is None
    play.core.on_submitted([run("a", gpu_gib=5), run("b", gpu_gib=5), run("c", gpu_gib=5)])
    assert [p.gpu_indexes for p in play.placements().values()] == [(0,), (1,)]


def test_a_fraction_takes_the_fullest_gpu_that_still_fits() -> None:
    play = Play(node(gpus=(8, 8)))
    play.core.on_submitted([run("a", gpus=0.5), run("b", gpus=0.25), run("c", gpus=0.5), run("d", gpus=0.25)])
    assert [p.gpu_indexes for p in play.placements().values()] == [(0,), (0,), (1,), (0,)]


def test_whole_gpus_need_entirely_unused_ones() -> None:
    play = Play(node(gpus=(8, 8, 8)))
    play.core.on_submitted([run("part", gpus=0.1), run("two", gpus=2), run("one", gpus=1)])
    assert play.placements() == {
        "part": Placement(node="ws1", gpu_indexes=(0,)),
        "two": Placement(node="ws1", gpu_indexes=(1, 2)),
    }
    assert play.end("part") == ["one"]


def test_each_whole_gpu_must_have_the_memory() -> None:
    play = Play(node(gpus=(8, 24, 24)))
    play.core.on_submitted([run("r", gpus=2, gpu_gib=20)])
    assert play.placements()[RunId("r")].gpu_indexes == (1, 2)


def test_a_whole_gpu_takes_the_smallest_that_is_large_enough() -> None:
    play = Play(node(gpus=(24, 8)))
    play.core.on_submitted([run("small", gpus=1), run("large", gpus=1, gpu_gib=20)])
    assert [p.gpu_indexes for p in play.placements().values()] == [(1,), (0,)]


def test_a_request_no_node_can_ever_hold_is_said_to_be_so_naming_what_there_is() -> None:
    play = Play(node("a", cpus=2, gib=4), node("b", cpus=4, gib=2, gpus=(8,)))
    ask = play.core.can_ever_fit
    assert ask(request(cpus=4)) is None
    assert ask(request(cpus=5)) == "no node could ever hold it: 5 CPUs: most on one node is 4 CPUs (b)"
    assert ask(request(gib=8)) == "no node could ever hold it: 8 GiB memory: most on one node is 4 GiB (a)"
    assert ask(request(cpus=4, gib=4)) == (
        "no node could ever hold it: 4 CPUs and 4 GiB memory: no node has all of it"
    )
    assert ask(request(gpu_gib=24)) == (
        "no node could ever hold it: 24 GiB gpu_memory: most on one GPU is 8 GiB (b, GPU 0)"
    )
    assert ask(request(gpus=2)) == "no node could ever hold it: 2 GPUs: most on one node is 1 (b)"
    assert (
        Play(node()).core.can_ever_fit(request(gpus=1))
        == "no node could ever hold it: 1 GPU: no node has a GPU"
    )
    assert Play().core.can_ever_fit(request()) == "no node is up"


def test_what_is_free_is_told() -> None:
    play = Play(node(cpus=8, gib=32, gpus=(8, 8)))
    play.submit(run("a", cpus=2, gib=4, gpus=0.25, gpu_gib=3), run("b", cpus=1, gpus=1))
    free = play.core.free_on("ws1")
    assert (free.cpu_milli, free.memory_bytes) == (5_000, 28 * 2**30)
    assert [(g.milli, g.memory_bytes) for g in free.gpus] == [(750, 5 * 2**30), (0, 0)]
    play.end("a", "b")
    assert play.core.free_on("ws1").cpu_milli == 8_000


def test_a_node_that_comes_takes_runs_and_one_that_goes_takes_none() -> None:
    play = Play()
    assert play.submit(run("a", cpus=8), run("b", cpus=8)) == []
    assert play.why("a") == "no node that could hold it is up"
    play.core.on_node(node())
    assert play.starts() == ["a"]
    play.core.on_node_gone("ws1")
    assert play.core.counts().active == 1
    assert play.end("a", succeeded=False, retry=True) == []
    play.core.on_node(node("ws2"))
    assert play.starts() == ["b"]


def test_a_changed_capacity_keeps_what_is_held() -> None:
    play = Play(node(cpus=4))
    play.submit(run("a", cpus=3), run("b", cpus=3))
    play.core.on_node(node(cpus=5))
    assert play.starts() == []
    play.core.on_node(node(cpus=6))
    assert play.starts() == ["b"]
    play.core.on_node(node(cpus=1))
    assert play.core.free_on("ws1").cpu_milli == -5_000


def test_adopted_runs_hold_slots_and_resources_even_beyond_what_there_is() -> None:
    play = Play(slots=3)
    play.core.set_module_limit("train", 1)
    play.core.on_adopted(run("x", cpus=6, module="train"), Placement(node="ws1"))
    play.core.on_adopted(run("y", cpus=6), Placement(node="ws1"))
    play.core.on_node(node(cpus=8))
    assert play.core.free_on("ws1").cpu_milli == -4_000
    assert play.submit(run("t", cpus=1, module="train"), run("u", cpus=3), run("v", cpus=0)) == ["v"]
    assert play.end("y") == []
    assert sorted(play.end("x")) == ["t", "u"]


def test_a_gpu_of_which_adopted_runs_hold_too_much_is_in_the_way_of_none_that_asks_for_no_more_of_it() -> (
    None
):
    play = Play(node(cpus=8, gpus=(8,)))
    play.core.on_adopted(run("x", cpus=0, gpu_gib=12), Placement(node="ws1", gpu_indexes=(0,)))
    assert play.submit(run("plain"), run("share", gpus=0.5), run("vram", gpu_gib=1)) == ["plain", "share"]
    assert play.end("x") == ["vram"]


def test_a_guarded_node_starts_nothing_and_says_why() -> None:
    play = Play(node())
    play.core.on_guard("ws1", "CPU is 93 % busy with other work, limit 80 %")
    assert play.submit(run("a")) == []
    assert play.why("a") == "CPU is 93 % busy with other work, limit 80 % (ws1)"
    play.core.on_node(node(cpus=9))
    assert play.starts() == []
    play.core.on_guard("ws1", None)
    assert play.starts() == ["a"]


def test_other_nodes_go_on_while_one_is_guarded() -> None:
    play = Play(node("a"), node("b"))
    play.core.on_guard("a", "busy")
    play.core.on_submitted([run("r")])
    assert play.placements()[RunId("r")].node == "b"
