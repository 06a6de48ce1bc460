"""What happens to runs together: dependencies, cancel, failures of a batch."""

from __future__ import annotations

import pytest

from runyard_actors.run import BatchId, Placement, Reason, RunId
from runyard_actors.scheduling.dependencies import REMEMBERED
from tests.unit.scheduling.playing import Play, batch, node, run


def test_a_run_starts_only_after_those_it_comes_after_completed() -> None:
    play = Play(node())
    assert play.submit(run("c", after=("a", "b")), run("a"), run("b")) == ["a", "b"]
    assert play.why("c") == "starts after run a and 1 more"
    assert play.core.counts().waiting_for_dependencies == 1
    assert play.end("a") == []
    assert play.why("c") == "starts after run b"
    assert play.end("b") == ["c"]


def test_a_retry_is_no_end_for_those_after_it() -> None:
    play = Play(node())
    play.submit(run("a"), run("b", after=("a",)))
    assert play.end("a", succeeded=False, retry=True) == ["a"]
    assert play.end("a") == ["b"]


def test_failure_drops_all_that_come_after() -> None:
    play = Play(node())
    play.submit(
        run("a"), run("b", after=("a",)), run("c", after=("b",)), run("d", after=("a", "x")), run("x")
    )
    play.core.on_ended(RunId("a"), succeeded=False, retry=False)
    drops = play.drops()
    assert sorted(drops) == ["b", "c", "d"]
    assert {d.reason for d in drops.values()} == {Reason.DEPENDENCY_FAILED}
    assert drops["c"].detail == "run b, which it comes after, did not complete"
    assert play.core.counts().waiting_for_dependencies == 0


@pytest.mark.parametrize("succeeded", [True, False])
def test_an_ended_run_the_core_was_told_of_counts(succeeded: bool) -> None:
    play = Play(node())
    play.core.on_dependency_state(RunId("old"), succeeded=succeeded)
    assert play.submit(run("a", after=("old",))) == (["a"] if succeeded else [])
    assert play.core.counts().waiting_for_dependencies == 0


def test_a_run_submitted_just_after_the_end_of_what_it_comes_after_does_not_wait() -> None:
    play = Play(node())
    play.submit(run("a"))
    play.end("a")
    assert play.submit(run("b", after=("a",))) == ["b"]


def test_a_run_after_an_unknown_one_is_dropped_with_those_after_it() -> None:
    play = Play(node())
    play.core.on_submitted([run("b", after=("a",)), run("a", after=("gone",))])
    assert sorted(play.drops()) == ["a", "b"]


def test_a_run_after_an_adopted_one_waits_for_it() -> None:
    play = Play(node())
    play.core.on_adopted(run("a"), Placement(node="ws1"))
    assert play.submit(run("b", after=("a",))) == []
    assert play.end("a") == ["b"]


def test_ends_are_not_remembered_for_ever() -> None:
    play = Play(node())
    for i in range(REMEMBERED + 10):
        play.core.on_dependency_state(RunId(f"old{i}"), succeeded=True)
    play.submit(run("a"))
    play.end("a")
    assert play.submit(run("b", after=("old5",))) == []
    assert play.submit(run("c", after=("a", f"old{REMEMBERED}"))) == ["c"]


def test_a_cancelled_queued_run_never_starts() -> None:
    play = Play(node(), slots=1)
    play.submit(run("a"), run("b"), run("c"))
    assert play.core.on_cancelled(RunId("b"))
    assert not play.core.on_cancelled(RunId("b"))
    assert not play.core.on_cancelled(RunId("a"))
    assert not play.core.on_cancelled(RunId("nobody"))
    assert play.end("a") == ["c"]


def test_a_cancelled_waiting_run_is_gone_and_drops_those_after_it() -> None:
    play = Play(node())
    play.submit(run("a"), run("b", after=("a",)), run("c", after=("b",)))
    assert play.core.on_cancelled(RunId("b"))
    assert list(play.drops()) == ["c"]
    assert play.end("a") == []


def test_a_cancelled_batch_leaves_its_active_runs_and_drops_those_outside_that_come_after() -> None:
    play = Play(node(), slots=2)
    runs = [run(f"b{i}", batch="b", priority=i % 2) for i in range(4)] + [run("w", batch="b", after=("b0",))]
    play.submit(*runs, batch=batch("b"))
    play.core.on_submitted([run("outside", after=("w",)), run("other")])
    assert play.core.on_batch_cancelled(BatchId("b")) == [RunId(name) for name in ("b0", "b2", "w")]
    assert list(play.drops()) == ["outside"]
    assert play.core.counts().active == 2
    assert play.end("b1") == ["other"]
    assert play.core.on_batch_cancelled(BatchId("nobody")) == []


def test_after_so_many_failures_the_rest_of_a_batch_is_dropped() -> None:
    play = Play(node(), slots=2)
    runs = [run(f"b{i}", batch="b") for i in range(5)] + [run("w", batch="b", after=("b4",))]
    play.submit(*runs, batch=batch("b", max_failures=2))
    assert play.end("b0", succeeded=False) == ["b2"]
    play.core.on_ended(RunId("b1"), succeeded=False, retry=False)
    drops = play.drops()
    assert sorted(drops) == ["b3", "b4", "w"]
    assert {d.reason for d in drops.values()} == {Reason.BATCH_CANCELLED}
    assert drops["b3"].detail == "2 runs of its batch failed; its limit is 2"
    play.core.on_ended(RunId("b2"), succeeded=False, retry=True)
    assert list(play.drops()) == ["b2"]
    assert play.core.counts().active == 0


def test_a_cancelled_run_is_no_failure() -> None:
    play = Play(node(), slots=1)
    play.submit(*[run(f"b{i}", batch="b") for i in range(3)], batch=batch("b", max_failures=1))
    play.core.on_ended(RunId("b0"), succeeded=False, retry=False, is_failure=False)
    assert play.starts() == ["b1"]


def test_failures_before_a_restart_count() -> None:
    play = Play(node(), slots=1)
    limited = batch("b", max_failures=2)
    play.core.on_batch(limited, failures=1)
    assert play.submit(*[run(f"b{i}", batch="b") for i in range(3)], batch=limited) == ["b0"]
    play.core.on_ended(RunId("b0"), succeeded=False, retry=False)
    assert sorted(play.drops()) == ["b1", "b2"]


def test_more_runs_for_a_stopped_batch_are_counted_from_zero() -> None:
    play = Play(node(), slots=2)
    limited = batch("b", max_failures=1)
    play.submit(*[run(f"b{i}", batch="b") for i in range(3)], batch=limited)
    play.core.on_ended(RunId("b0"), succeeded=False, retry=False)
    assert list(play.drops()) == ["b2"]
    assert play.submit(run("again", batch="b"), batch=limited) == ["again"]


def test_a_start_that_failed_of_a_stopped_batch_is_dropped() -> None:
    play = Play(node(), slots=2)
    play.submit(*[run(f"b{i}", batch="b") for i in range(2)], batch=batch("b", max_failures=1))
    play.core.on_ended(RunId("b0"), succeeded=False, retry=False)
    play.core.on_start_failed(RunId("b1"))
    assert list(play.drops()) == ["b1"]


def test_repeated_and_unknown_events_change_nothing() -> None:
    play = Play(node())
    play.submit(run("a"))
    play.core.on_submitted([run("a")])
    play.core.on_adopted(run("a"), Placement(node="ws1"))
    play.core.on_ended(RunId("nobody"), succeeded=True, retry=False)
    play.core.on_start_failed(RunId("nobody"))
    play.end("a")
    play.end("a")
    assert play.core.counts() == type(play.core.counts())(0, 0, 0)
    assert play.core.free_on("ws1").cpu_milli == 8_000
