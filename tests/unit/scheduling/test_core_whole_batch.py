"""Open batches in the core, and runs that come after a batch as a whole."""

from __future__ import annotations

from runyard_actors.run import BatchId, BatchSpec, RunId
from runyard_actors.scheduling.core import Core, Drop, Start
from runyard_actors.scheduling.decision import Gates
from runyard_actors.scheduling.dependencies import REMEMBERED
from tests.unit.scheduling.playing import node, run

B = BatchId("b")


def core_with(spec: BatchSpec) -> Core:
    core = Core(max_concurrent_runs=10)
    core.on_node(node())
    core.on_submitted([], spec)
    return core


def started(core: Core) -> list[str]:
    return [each.run_id for each in core.decide() if isinstance(each, Start)]


def end(core: Core, name: str, *, succeeded: bool = True) -> None:
    core.on_ended(RunId(name), succeeded=succeeded, retry=False)


def test_an_open_batch_keeps_limit_and_failures_while_it_has_no_runs() -> None:
    core = core_with(BatchSpec(batch_id=B, max_concurrent=1, max_failures=2, is_open=True))
    for name in ("r1", "r2"):
        core.on_submitted([run(name, batch="b"), run(f"{name}-later", batch="b")])
        assert started(core) == [name], "one at a time"
        end(core, name, succeeded=False)
        if name == "r1":
            assert started(core) == ["r1-later"]
            end(core, "r1-later")
    assert [type(each) for each in core.decide()] == [Drop], "it failed too often"


def test_a_closed_batch_is_forgotten_with_its_last_run() -> None:
    core = core_with(BatchSpec(batch_id=B, max_concurrent=1, is_open=True))
    core.on_submitted([run("r1", batch="b")])
    assert started(core) == ["r1"]
    core.on_batch_closed(B)
    end(core, "r1")
    core.on_submitted([run("r2", batch="b"), run("r3", batch="b")])
    assert started(core) == ["r2", "r3"], "nothing is known of its limit any more"


def test_a_run_after_a_batch_waits_for_its_end_and_not_for_that_of_its_runs() -> None:
    core = core_with(BatchSpec(batch_id=B, is_open=True))
    core.on_batch_awaited(B)
    core.on_submitted([run("r1", batch="b"), run("after", after=("b",))])
    assert started(core) == ["r1"]
    end(core, "r1")
    assert started(core) == []
    assert core.waiting_for(RunId("after")) == "starts after batch b, once it is closed and has ended"
    core.on_batch_ended(B, succeeded=True)
    assert started(core) == ["after"]


def test_a_batch_that_did_not_complete_drops_and_frees_as_a_run_does() -> None:
    core = core_with(BatchSpec(batch_id=B, is_open=True))
    core.on_batch_awaited(B)
    core.on_submitted(
        [
            run("after", after=("b",)),
            run("tidy", gates=Gates(after_any=(RunId("b"),))),
            run("alarm", gates=Gates(after_failed=(RunId("b"),))),
        ]
    )
    assert core.waiting_for(RunId("alarm")) == "starts if any run of batch b fails"
    core.on_batch_ended(B, succeeded=False)
    (drop,) = [each for each in core.decide() if isinstance(each, Drop)]
    assert drop.detail == "not all runs of batch b, which it comes after, completed"
    core.on_submitted([run("late", after=("b",)), run("late-tidy", gates=Gates(after_any=(RunId("b"),)))])
    late = core.decide()
    assert [each.run_id for each in late] == ["late", "late-tidy"]
    assert isinstance(late[0], Drop) and isinstance(late[1], Start)


def test_a_batch_whose_failed_runs_are_tried_again_is_waited_for_again() -> None:
    core = core_with(BatchSpec(batch_id=B, is_open=True))
    core.on_batch_ended(B, succeeded=False)
    core.on_batch_awaited(B)
    core.on_submitted([run("after", after=("b",))])
    assert core.decide() == []
    core.on_batch_ended(B, succeeded=True)
    assert started(core) == ["after"]


def test_ends_of_batches_are_forgotten_as_those_of_runs() -> None:
    core = core_with(BatchSpec(batch_id=B))
    core.on_batch_ended(B, succeeded=True)
    for number in range(REMEMBERED):
        core.on_dependency_state(RunId(f"r{number}"), succeeded=True)
    core.on_submitted([run("last")])
    assert started(core) == ["last"]
    end(core, "last")
    assert len(core._runs.dependencies._batches) == 0
