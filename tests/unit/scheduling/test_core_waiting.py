"""What a queued run waits for, in words."""

from __future__ import annotations

from tests.unit.scheduling.playing import Play, batch, node, run


def test_active_and_unknown_runs_wait_for_nothing() -> None:
    play = Play(node())
    play.submit(run("a"))
    assert play.why("a") is None
    assert play.why("nobody") is None


def test_slots_of_the_module() -> None:
    play = Play(node())
    play.core.set_module_limit("train", 2)
    play.submit(*[run(f"r{i}", module="train") for i in range(3)])
    assert play.why("r2") == "2 of 2 slots of module train are taken"


def test_slots_of_the_batch() -> None:
    play = Play(node())
    play.submit(*[run(f"r{i}", batch="b1") for i in range(2)], batch=batch("b1", max_concurrent=1))
    assert play.why("r1") == "1 of 1 slots of batch b1 are taken"


def test_gpu_memory_names_the_gpu_with_most_free() -> None:
    play = Play(node(gpus=(24, 24)))
    play.submit(run("a", gpu_gib=16), run("b", gpu_gib=20), run("c", gpu_gib=24))
    assert play.why("c") == "24 GiB gpu_memory: most free on one GPU is 8 GiB (ws1, GPU 0)"


def test_cpus_memory_and_gpus() -> None:
    play = Play(node(cpus=4, gib=8, gpus=(8,)))
    play.submit(run("a", cpus=3, gib=6, gpus=0.75))
    play.submit(run("c", cpus=2), run("m", cpus=0, gib=4), run("g", gpus=1), run("f", gpus=0.5))
    assert play.why("c") == "2 CPUs: most free on one node is 1 CPU (ws1)"
    assert play.why("m") == "4 GiB memory: most free on one node is 2 GiB (ws1)"
    assert play.why("g") == "1 GPU: most free on one node is 0 (ws1)"
    assert play.why("f") == "0.5 GPU: most free of one GPU is 0.25 (ws1, GPU 0)"


def test_resources_that_are_free_only_on_different_nodes() -> None:
    play = Play(node("a", cpus=4, gib=4), node("b", cpus=4, gib=4))
    play.core.on_submitted([run("x", cpus=3), run("y", cpus=2, gib=3)])
    play.starts()
    play.submit(run("z", cpus=3, gib=2))
    assert play.why("z") == "3 CPUs: most free on one node is 2 CPUs (b)"
    play.submit(run("q", cpus=2, gib=4))
    assert play.why("q") == "2 CPUs and 4 GiB memory: no node has all of it free"


def test_the_place_in_the_queue() -> None:
    play = Play(node(), slots=1)
    play.submit(*[run(f"r{i}") for i in range(5)])
    assert play.why("r1") == "all 1 slots are taken; position 1 of 4 in the queue"
    assert play.why("r4") == "all 1 slots are taken; position 4 of 4 in the queue"


def test_the_place_in_the_queue_counts_turns_and_priorities() -> None:
    play = Play(node(), slots=1)
    play.submit(run("now", priority=9))
    for name in "xy":
        play.core.on_submitted([run(f"{name}{i}", batch=name) for i in range(4)], batch(name))
    play.core.on_submitted([run("high", priority=1), run("low", priority=-1)])
    order = ["high", "x0", "y0", "x1", "y1", "x2", "y2", "x3", "y3", "low"]
    for place, name in enumerate(order, 1):
        assert play.why(name) == f"all 1 slots are taken; position {place} of 10 in the queue"
    started = play.end("now")
    while started[-1] != "low":
        started += play.end(started[-1])
    assert started == order


def test_room_that_is_kept_for_another() -> None:
    play = Play(node(cpus=8))
    play.submit(run("a", cpus=4), run("head", cpus=8), run("small", cpus=1))
    assert play.why("small") == "room on ws1 is kept for run head, which comes first"
    assert play.why("head") == "8 CPUs: most free on one node is 4 CPUs (ws1)"
