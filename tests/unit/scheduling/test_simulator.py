"""The simulator: schedules that can be, no worse than first come first served, and the same each time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runyard_actors.ids import new_ids
from runyard_actors.request import Request
from runyard_actors.run import BatchId, BatchSpec, Outcome, Placement, RunId, RunSpec
from runyard_actors.scheduling.core import QueuedRun
from runyard_actors.store import StoreWriter
from runyard_actors.store.changes import AttemptEnded, AttemptStarted, AttemptStarting, RunsSubmitted
from tests.benchmarks.bound import lower_bound
from tests.benchmarks.policies import NaiveBackfill, Policy, Production, StrictFifo
from tests.benchmarks.schedule import Schedule, faults, measure, waits
from tests.benchmarks.simulator import simulate, table
from tests.benchmarks.workload import SECOND, Submission, Workload, generate, node, recorded
from tests.unit.scheduling.ledger_model import Held, left

AT = 1_700_000_000_000_000


def test_every_run_ends_and_is_done_no_later_than_first_come_first_served() -> None:
    """Each seed is a workload of its own; `faults` sums up what is held without the core's ledgers."""
    for seed in range(3):
        workload = generate(2_000, 8, seed)
        found = {maker: simulate(workload, maker) for maker in _policies(workload)}
        core, fifo = (measure(workload, found[each], lower_bound(workload)) for each in list(found)[:2])
        assert all(faults(workload, schedule) == [] for schedule in found.values())
        assert all(len(schedule.starts) == 2_000 for schedule in found.values())
        assert 1.0 <= core.bound_ratio <= fifo.bound_ratio
        assert core.makespan <= fifo.makespan
        assert core.mean_wait <= fifo.mean_wait


def test_the_check_and_the_naive_model_agree_on_what_is_held() -> None:
    """At every start nothing is below zero, by the model that the core's own tests go by."""
    workload = generate(300, 4, 1)
    schedule = simulate(workload, Production(workload.nodes, 300))
    requests = {run.run_id: run.request for each in workload.submissions for run in each.runs}
    for at, _ in schedule.starts.values():
        held: list[Held] = [
            (requests[run_id], placement)
            for run_id, (start, placement) in schedule.starts.items()
            if start <= at < start + workload.durations[run_id]
        ]
        rests = [left(spec, held) for spec in workload.nodes]
        assert all(rest.cpu >= 0 and rest.memory >= 0 for rest in rests)
        assert all(share >= 0 and memory >= 0 for rest in rests for share, memory, _, _ in rest.gpus.values())


def test_the_check_finds_what_cannot_be() -> None:
    """Two runs of one CPU each on a node of one, a run that never ran, and one before it was submitted."""
    workload = _three_in_a_row()
    good = simulate(workload, Production(workload.nodes, 3))
    a, b, c = good.starts
    assert faults(workload, good) == []
    assert faults(workload, _changed(good, b, good.starts[a][0]))
    assert faults(workload, _changed(good, c, 0))
    assert faults(workload, Schedule({a: good.starts[a], b: good.starts[b]}, 0.0))


def test_the_bound_of_runs_that_fill_a_node_is_what_they_take() -> None:
    """Three runs of ten seconds on a node that holds one at a time, the last submitted at five."""
    workload = _three_in_a_row()
    schedule = simulate(workload, StrictFifo(workload.nodes))
    assert lower_bound(workload) == 30 * SECOND
    assert measure(workload, schedule, 30 * SECOND).makespan == 30.0
    assert sorted(waits(workload, schedule).values()) == [0, 10 * SECOND, 15 * SECOND]


def test_the_bound_knows_what_only_some_nodes_can_hold() -> None:
    """Two runs of ten seconds that ask for a GPU, on three nodes of which one has one."""
    nodes = [node("a", 8, 8), node("b", 8, 8), node("c", 8, 8, 1, 24)]
    runs = tuple(QueuedRun(RunId(n), Request(cpu_milli=6000, gpu_memory_bytes=2**30), "m") for n in "ab")
    workload = Workload(nodes, [Submission(0, runs)], {run.run_id: 10 * SECOND for run in runs})
    assert lower_bound(workload) == 15 * SECOND


def test_the_same_seed_gives_the_same_workload_and_schedule() -> None:
    """Nothing but the seed decides."""
    first, second = generate(500, 4, 7), generate(500, 4, 7)
    assert first == second
    schedules = [simulate(each, Production(each.nodes, 500)).starts for each in (first, second)]
    assert schedules[0] == schedules[1]


def test_the_table_has_a_row_for_each_scheduler() -> None:
    """Headings, a line, and three rows of as many cells."""
    lines = list(table(generate(200, 4, 1)))
    assert len(lines) == 5
    assert len({line.count("|") for line in lines}) == 1


def test_a_table_of_one_scheduler_leaves_open_what_is_told_beside_first_come_first_served() -> None:
    """One row, of as many cells as the headings."""
    heading, _, row = table(generate(200, 4, 1), ["runyard"])
    cells = dict(zip(heading.split("|"), row.split("|"), strict=True))
    assert cells[" scheduler "] == " runyard "
    assert (cells[" of FIFO's "].strip(), cells[" one run later than under FIFO "].strip()) == ("", "")


@pytest.mark.parametrize("cpus", [1, 2])
def test_what_ran_by_a_database_is_played_again(tmp_path: Path, cpus: int) -> None:
    """A batch of three whose last run comes after the first; a run too large for the nodes is left out."""
    ids = [RunId(each) for each in new_ids(4)]
    _record(tmp_path / "db.sqlite3", ids)
    workload, left_out = recorded(tmp_path / "db.sqlite3", [node("n", cpus, 4)])
    assert left_out == 1
    assert [[run.run_id for run in each.runs] for each in workload.submissions] == [ids[:3]]
    assert workload.durations == {ids[0]: 10 * SECOND, ids[1]: 20 * SECOND, ids[2]: 30 * SECOND}
    for policy in _policies(workload):
        schedule = simulate(workload, policy)
        assert faults(workload, schedule) == []
        assert schedule.starts[ids[2]][0] >= 10 * SECOND


def _policies(workload: Workload) -> list[Policy]:
    nodes = workload.nodes
    return [Production(nodes, len(workload.durations)), StrictFifo(nodes), NaiveBackfill(nodes)]


def _three_in_a_row() -> Workload:
    runs = [QueuedRun(RunId(name), Request(cpu_milli=1000), "m") for name in "abc"]
    submissions = [Submission(0, tuple(runs[:2])), Submission(5 * SECOND, (runs[2],))]
    return Workload([node("n", 1, 1)], submissions, {run.run_id: 10 * SECOND for run in runs})


def _changed(schedule: Schedule, run_id: RunId, at: int) -> Schedule:
    return replace(schedule, starts={**schedule.starts, run_id: (at, Placement(node="n"))})


def _record(path: Path, ids: list[RunId]) -> None:
    """Have runs live and end, 10, 20, 30 and 40 seconds long; the last asks for 64 CPUs."""
    specs = [
        RunSpec(
            run_id=run_id,
            module_id="m",
            module_name="M",
            command=("true",),
            cwd="/",
            request=Request(cpu_milli=64_000 if i == 3 else 1_000),
            batch_id=BatchId("b"),
            after=(ids[0],) if i == 2 else (),
        )
        for i, run_id in enumerate(ids)
    ]
    writer = StoreWriter(path)
    batch = BatchSpec(batch_id=BatchId("b"), max_failures=1)
    writer.write([RunsSubmitted(specs=specs, created_at=AT, batch=batch)]).result()
    for i, run_id in enumerate(ids):
        outcome = Outcome(started_at=AT, ended_at=AT + (i + 1) * 10 * SECOND, exit_code=0)
        starting = AttemptStarting(run_id=run_id, attempt=1, nonce="0", node="n", boot_id="boot", at=AT)
        started = AttemptStarted(run_id=run_id, attempt=1, pid=1, at=AT)
        ended = AttemptEnded(run_id=run_id, attempt=1, outcome=outcome)
        writer.write([starting, started, ended]).result()
    writer.close()
