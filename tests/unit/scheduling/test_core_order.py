"""Who starts first: priority, then fair turns between batches, then first come first served."""

from __future__ import annotations

from tests.unit.scheduling.playing import Play, batch, node, run


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{i}" for i in range(count)]


def test_no_more_than_the_slots_start_and_a_freed_slot_is_used_at_once() -> None:
    play = Play(node(cpus=64), slots=10)
    assert play.submit(*[run(f"r{i:02}") for i in range(12)]) == [f"r{i:02}" for i in range(10)]
    assert play.end("r03") == ["r10"]
    assert play.end("r00", "r01") == ["r11"]


def test_slots_can_be_changed_and_lowering_them_stops_nothing() -> None:
    play = Play(node(), slots=2)
    play.submit(*[run(name) for name in names("r", 6)])
    play.core.set_max_concurrent_runs(1)
    assert play.end("r0") == []
    play.core.set_max_concurrent_runs(3)
    assert play.starts() == ["r2", "r3"]


def test_higher_priority_goes_first() -> None:
    play = Play(node(), slots=1)
    play.submit(run("now"))
    play.submit(run("low"), run("high", priority=5), run("middle", priority=1))
    assert [play.end("now"), play.end("high"), play.end("middle")] == [["high"], ["middle"], ["low"]]


def test_a_large_batch_does_not_starve_a_single_run() -> None:
    play = Play(node(), slots=1)
    play.submit(*[run(name, batch="b") for name in names("b", 1000)], batch=batch("b"))
    play.submit(run("single"))
    started = play.end("b0") + play.end("b1")
    assert "single" in started


def test_batches_take_turns() -> None:
    play = Play(node(), slots=1)
    for each in "xyz":
        play.core.on_submitted([run(name, batch=each) for name in names(each, 3)], batch(each))
    order = play.starts()
    while len(order) < 9:
        order += play.end(order[-1])
    assert order == ["x0", "y0", "z0", "x1", "y1", "z1", "x2", "y2", "z2"]


def test_an_endless_row_of_new_batches_does_not_starve_an_old_one() -> None:
    play = Play(node(), slots=1)
    active = play.submit(*[run(name, batch="old") for name in names("old", 50)], batch=batch("old"))[0]
    order = [active]
    for i in range(60):
        for half in "ab":
            play.core.on_submitted([run(f"{half}{i}", batch=f"{half}{i}")], batch(f"{half}{i}"))
        active = play.end(active)[0]
        order.append(active)
    assert sum(name.startswith("old") for name in order) >= 5


def test_singles_that_come_one_by_one_do_not_starve_a_batch() -> None:
    play = Play(node(), slots=1)
    active = play.submit(run("s0"))[0]
    play.submit(*[run(name, batch="b") for name in names("b", 50)], batch=batch("b"))
    order = [active]
    for i in range(1, 21):
        play.core.on_submitted([run(f"s{i}")])
        active = play.end(active)[0]
        order.append(active)
    assert abs(sum(name.startswith("b") for name in order) - 10) <= 1


def test_a_batch_that_was_held_up_gets_no_turns_back() -> None:
    play = Play(node(), slots=1)
    play.core.set_module_limit("held", 0)
    play.core.on_submitted([run(name, batch="x", module="held") for name in names("x", 5)], batch("x"))
    play.core.on_submitted([run(name, batch="y") for name in names("y", 20)], batch("y"))
    order = play.starts()
    for _ in range(9):
        order += play.end(order[-1])
    play.core.set_module_limit("held", None)
    for _ in range(4):
        order += play.end(order[-1])
    assert order[10:] == ["x0", "x1", "y10", "x2"]


def test_within_a_batch_first_come_is_first_served_across_modules_and_requests() -> None:
    play = Play(node(), slots=1)
    play.submit(run("a", cpus=1), run("b", cpus=2), run("c", module="n"), run("d", cpus=1))
    assert [play.end("a"), play.end("b"), play.end("c")] == [["b"], ["c"], ["d"]]


def test_a_retry_goes_through_the_queue_like_everyone() -> None:
    play = Play(node(), slots=1)
    play.submit(run("a"), run("b"), run("c"))
    assert play.end("a", succeeded=False, retry=True) == ["b"]
    assert [play.end("b"), play.end("c")] == [["c"], ["a"]]


def test_starts_that_failed_stand_where_they_stood() -> None:
    play = Play(node(), slots=3)
    assert play.submit(*[run(name) for name in names("r", 6)]) == ["r0", "r1", "r2"]
    for name in ("r1", "r0", "r2"):
        play.core.on_start_failed(run(name).run_id)
    assert play.core.counts().active == 0
    assert play.starts() == ["r0", "r1", "r2"]


def test_a_start_that_failed_does_not_cost_its_batch_a_turn() -> None:
    play = Play(node(), slots=1)
    play.core.on_submitted([run(name, batch="x") for name in names("x", 2)], batch("x"))
    play.core.on_submitted([run(name, batch="y") for name in names("y", 2)], batch("y"))
    assert play.starts() == ["x0"]
    play.core.on_start_failed(run("x0").run_id)
    assert play.starts() == ["x0"]


def test_a_full_module_lets_others_pass() -> None:
    play = Play(node(), slots=3)
    play.core.set_module_limit("train", 1)
    runs = [run("t0", module="train"), run("t1", module="train"), run("t2", module="train"), run("other")]
    assert play.submit(*runs) == ["t0", "other"]
    assert play.end("t0") == ["t1"]
    play.core.set_module_limit("train", 2)
    assert play.starts() == ["t2"]


def test_a_full_batch_lets_others_pass() -> None:
    play = Play(node(), slots=5)
    limited = batch("b", max_concurrent=2)
    assert play.submit(*[run(name, batch="b") for name in names("b", 4)], batch=limited) == ["b0", "b1"]
    assert play.submit(run("single")) == ["single"]
    assert play.end("b1") == ["b2"]


def test_pause_starts_nothing_and_resume_goes_on() -> None:
    play = Play(node())
    play.core.pause()
    assert play.submit(run("a")) == []
    assert play.why("a") == "starts are paused"
    play.core.resume()
    assert play.starts() == ["a"]


def test_a_limit_bounds_the_starts_of_one_decision() -> None:
    play = Play(node())
    play.core.on_submitted([run(name) for name in names("r", 5)])
    assert len(play.core.decide(2)) == 2
    assert len(play.core.decide()) == 3


def test_the_same_history_leads_to_the_same_decisions() -> None:
    def history() -> list[str]:
        play = Play(node(cpus=4), node("ws2", cpus=2, gpus=(8,)), slots=4)
        order = play.submit(
            *[run(f"r{i}", cpus=1 + i % 3, batch=f"b{i % 4}", priority=i % 2) for i in range(30)]
        )
        for name in order:
            order += play.end(name)
        return order

    assert history() == history()
    assert sorted(history()) == sorted(f"r{i}" for i in range(30))
