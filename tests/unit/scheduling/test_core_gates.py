"""What a run waits for beside those that must complete: ends, failures, moments, people."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runyard_actors.run import BatchId, Reason, RunId
from tests.unit.scheduling.playing import Play, batch, gates, node, run

SECOND = 1_000_000


def test_after_any_starts_when_all_ended_whatever_way() -> None:
    play = Play(node())
    play.submit(run("a"), run("b"), run("tidy", gates=gates(after_any=("a", "b"))))
    assert play.why("tidy") == "starts after run a and 1 more ended"
    assert play.end("a", succeeded=False) == []
    assert play.end("b") == ["tidy"]


def test_after_any_of_a_cancelled_run_starts() -> None:
    play = Play(node(), slots=1)
    play.submit(run("a"), run("b"), run("tidy", gates=gates(after_any=("b",))))
    play.core.on_cancelled(RunId("b"))
    assert play.end("a") == ["tidy"]


def test_after_failed_starts_as_soon_as_one_fails() -> None:
    play = Play(node())
    play.submit(run("a"), run("b"), run("alarm", gates=gates(after_failed=("a", "b"))))
    assert play.why("alarm") == "starts if run a fails, or after 1 more"
    assert play.end("a", succeeded=False) == ["alarm"]
    assert play.end("b", succeeded=False) == []


def test_after_failed_is_dropped_when_all_completed_with_those_after_it() -> None:
    play = Play(node())
    play.submit(
        run("a"), run("b"), run("alarm", gates=gates(after_failed=("a", "b"))), run("then", after=("alarm",))
    )
    play.core.on_ended(RunId("a"), succeeded=True, retry=False)
    assert play.drops() == {}
    play.core.on_ended(RunId("b"), succeeded=True, retry=False)
    drops = play.drops()
    assert list(drops) == ["alarm", "then"]
    assert drops["alarm"].reason is Reason.DEPENDENCY_FAILED
    assert drops["alarm"].detail == (
        "it starts only if one of the runs in its after_failed fails, and all completed, run b last"
    )


def test_what_ended_before_the_submission_counts() -> None:
    play = Play(node())
    play.core.on_dependency_state(RunId("good"), succeeded=True)
    play.core.on_dependency_state(RunId("bad"), succeeded=False)
    assert play.submit(run("x", gates=gates(after_any=("good", "bad")))) == ["x"]
    assert play.submit(run("y", gates=gates(after_failed=("good", "bad")))) == ["y"]
    play.core.on_submitted([run("z", gates=gates(after_failed=("good",)))])
    assert list(play.drops()) == ["z"]


def test_all_kinds_of_dependencies_hold_together() -> None:
    play = Play(node())
    play.submit(
        run("a"),
        run("b"),
        run("c"),
        run("x", after=("a",), gates=gates(after_any=("b",), after_failed=("c",))),
    )
    assert play.end("c", succeeded=False) == []
    assert play.end("b", succeeded=False) == []
    assert play.end("a") == ["x"]


def test_a_delayed_run_starts_when_its_moment_comes() -> None:
    play = Play(node())
    assert play.submit(run("a", gates=gates(not_before=10 * SECOND))) == []
    assert play.core.next_moment == 10 * SECOND
    assert play.why("a") == "starts at 1970-01-01 00:00:10 UTC at the earliest"
    assert play.core.counts().waiting_for_dependencies == 1
    play.core.on_time(9 * SECOND)
    assert play.starts() == []
    play.core.on_time(10 * SECOND)
    assert play.starts() == ["a"]
    assert play.core.next_moment is None


def test_a_held_run_keeps_its_place_until_it_is_released() -> None:
    play = Play(node(), slots=1)
    play.submit(run("a"), run("b"), run("c"))
    assert play.core.on_held(RunId("b"))
    assert play.core.on_held(RunId("b"))
    assert play.why("b") == "held; 'runyard release b' lets it start"
    assert play.core.on_released(RunId("b"))
    assert play.end("a") == ["b"]
    assert not play.core.on_held(RunId("b"))
    assert not play.core.on_released(RunId("nobody"))


def test_a_held_run_that_waits_for_another_needs_both() -> None:
    play = Play(node())
    play.submit(run("a"), run("b", after=("a",), gates=gates(is_held=True)))
    assert play.end("a") == []
    play.core.on_released(RunId("b"))
    assert play.starts() == ["b"]


def test_a_run_that_has_not_started_at_its_deadline_is_dropped() -> None:
    play = Play(node(), slots=1)
    waits = gates(deadline=5 * SECOND, timeout_seconds=5.0)
    play.submit(run("a", gates=waits), run("b", gates=waits), run("then", after=("b",)))
    play.core.on_time(5 * SECOND)
    drops = play.drops()
    assert list(drops) == ["then", "b"]
    assert drops["b"].reason is Reason.QUEUE_TIMEOUT
    assert drops["b"].detail == (
        "it had not started 5.0 s after it was submitted; it was waiting: all 1 slots are taken; "
        "position 1 of 1 in the queue"
    )
    assert play.core.counts().active == 1


def test_a_run_that_waited_too_long_counts_as_a_failure_of_its_batch() -> None:
    play = Play(node(), slots=1)
    late = run("b1", batch="b", gates=gates(deadline=5 * SECOND, timeout_seconds=5.0))
    play.submit(run("b0", batch="b"), late, run("b2", batch="b"), batch=batch("b", max_failures=1))
    play.core.on_time(5 * SECOND)
    drops = play.drops()
    assert {name: drop.reason for name, drop in drops.items()} == {
        "b1": Reason.QUEUE_TIMEOUT,
        "b2": Reason.BATCH_CANCELLED,
    }


def test_a_start_that_failed_is_dropped_at_its_deadline() -> None:
    play = Play(node(), slots=1)
    play.submit(run("a", gates=gates(deadline=5 * SECOND, timeout_seconds=5.0)))
    play.core.on_time(5 * SECOND)
    assert play.drops() == {}
    play.core.on_start_failed(RunId("a"))
    play.core.on_time(6 * SECOND)
    assert list(play.drops()) == ["a"]


def test_a_retry_waits_and_has_no_deadline() -> None:
    play = Play(node())
    play.submit(run("a", gates=gates(deadline=5 * SECOND, timeout_seconds=5.0)))
    play.core.on_ended(RunId("a"), succeeded=False, retry=True, not_before=20 * SECOND)
    play.core.on_time(19 * SECOND)
    assert play.starts() == []
    assert play.drops() == {}
    play.core.on_time(20 * SECOND)
    assert play.starts() == ["a"]


def test_a_cancelled_batch_takes_its_held_and_delayed_runs_along() -> None:
    play = Play(node(), slots=1)
    runs = [run("x", batch="b"), run("y", batch="b", gates=gates(not_before=SECOND))]
    play.submit(run("first"), *runs, batch=batch("b"))
    play.core.on_held(RunId("x"))
    assert play.core.inactive_of(BatchId("b")) == [RunId("x"), RunId("y")]
    assert play.core.on_batch_cancelled(BatchId("b")) == [RunId("x"), RunId("y")]
    play.core.on_time(2 * SECOND)
    assert play.end("first") == []
    assert play.core.next_moment is None


def test_a_delayed_retry_of_a_stopped_batch_is_dropped() -> None:
    play = Play(node(), slots=2)
    play.submit(*[run(f"b{i}", batch="b") for i in range(2)], batch=batch("b", max_failures=1))
    play.core.on_ended(RunId("b0"), succeeded=False, retry=False)
    play.core.on_ended(RunId("b1"), succeeded=False, retry=True, not_before=SECOND)
    assert list(play.drops()) == ["b1"]


def test_a_new_priority_moves_a_run_to_its_place_by_arrival() -> None:
    play = Play(node(), slots=1)
    assert play.submit(run("a")) == ["a"]
    play.submit(run("b"), run("c", priority=5), run("d"), run("e", after=("a",)))
    assert play.core.on_priority(RunId("d"), 5)
    assert play.core.on_priority(RunId("b"), 5)
    assert play.core.on_priority(RunId("e"), 9)
    assert play.core.on_priority(RunId("a"), 7)
    assert not play.core.on_priority(RunId("nobody"), 1)
    assert play.end("a", succeeded=False, retry=True) == ["a"]
    started = [*play.end("a"), *play.end("e"), *play.end("b"), *play.end("c")]
    assert started == ["e", "b", "c", "d"]


def test_a_new_limit_of_a_batch_counts_at_once() -> None:
    play = Play(node())
    limited = batch("b", max_concurrent=1)
    assert play.submit(*[run(f"b{i}", batch="b") for i in range(4)], batch=limited) == ["b0"]
    play.core.on_batch_limit(BatchId("b"), 3)
    assert play.starts() == ["b1", "b2"]
    play.core.on_batch_limit(BatchId("b"), 1)
    assert play.end("b0", "b1") == []
    assert play.end("b2") == ["b3"]
    play.core.on_batch_limit(BatchId("nobody"), 1)


NAMES = [f"r{i}" for i in range(8)]


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[set[str], set[str], set[str], bool]]:
    """For each run: what it comes after of each kind, all earlier ones, and whether it succeeds."""
    found = []
    for i in range(len(NAMES)):
        kinds = [draw(st.sets(st.sampled_from(NAMES[:i]), max_size=2)) if i else set() for _ in range(3)]
        found.append((kinds[0], kinds[1], kinds[2] - kinds[0], draw(st.booleans())))
    return found


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_every_run_starts_or_is_dropped_just_as_its_dependencies_say(
    history: list[tuple[set[str], set[str], set[str], bool]],
) -> None:
    # Given runs that are submitted at once, and end in the order in which they start
    play = Play(node(), slots=2)
    runs = [
        run(name, after=tuple(ok), gates=gates(after_any=tuple(ends - ok - bad), after_failed=tuple(bad)))
        for name, (ok, ends, bad, _) in zip(NAMES, history, strict=True)
    ]
    succeeds = {name: each[3] for name, each in zip(NAMES, history, strict=True)}
    completed: dict[str, bool] = {}
    play.core.on_submitted(runs)
    waiting = True
    active: list[str] = []
    # When all that can end has ended
    while waiting or active:
        waiting = False
        for decision in play.core.decide():
            waiting = True
            if hasattr(decision, "placement"):
                ok, ends, bad, _ = history[NAMES.index(decision.run_id)]
                # Then it started only after all that it needed, as it needed it
                assert all(completed.get(each) for each in ok)
                assert all(each in completed for each in ends - bad)
                assert not bad or any(completed.get(each) is False for each in bad)
                active.append(decision.run_id)
            else:
                completed[decision.run_id] = False
        if active:
            waiting = True
            name = active.pop(0)
            completed[name] = succeeds[name]
            play.core.on_ended(RunId(name), succeeded=succeeds[name], retry=False)
    # And each came to an end
    assert sorted(completed) == NAMES
    assert play.core.counts() == type(play.core.counts())(0, 0, 0)
