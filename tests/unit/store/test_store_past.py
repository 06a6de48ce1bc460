"""The past of a module: its newest runs that ended by themselves, by one index, and nothing of other modules."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from runyard_actors.run import Reason, RunSpec
from runyard_actors.store.changes import AttemptEnded
from runyard_actors.store.queries import sql
from runyard_actors.store.reader import StoreReader
from runyard_actors.store.writer import StoreWriter
from tests.unit.store.making import ended, specs, started, starting, submitted


def with_peak(run: RunSpec, peak: int, **outcome: Any) -> AttemptEnded:
    change = ended(run)
    return replace(change, outcome=replace(change.outcome, peak_memory=peak, **outcome))


def test_the_newest_runs_come_first_and_failed_ones_only_when_asked(
    writer: StoreWriter, reader: StoreReader
) -> None:
    runs = specs(6)
    others = specs(2, module_id="other", module_name="Other")
    writer.write([submitted([*runs, *others])]).result()
    for run in [*runs[:4], *others]:
        writer.write([starting(run), started(run), with_peak(run, 100)]).result()
    failed = with_peak(runs[4], 900, reason=Reason.MEMORY_LIMIT)
    writer.write([starting(runs[4]), started(runs[4]), failed]).result()
    assert [run.peak_memory for run in reader.past_runs("train", 3)] == [100] * 3
    all_ended = reader.past_runs("train", 10, with_failed=True)
    assert [run.peak_memory for run in all_ended] == [900, 100, 100, 100, 100]
    assert [run.has_completed for run in all_ended] == [False, True, True, True, True]
    assert all_ended[0].seconds is not None
    assert reader.past_runs("nothing", 10) == []


def test_a_module_s_past_is_read_along_its_index(writer: StoreWriter, path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        plan = raw.execute(f"EXPLAIN QUERY PLAN {sql('past_runs')}", ("train", "completed", 200)).fetchall()
    assert [row[3] for row in plan] == ["SEARCH runs USING INDEX runs_by_module (module_id=? AND status=?)"]


def test_a_note_of_the_request_is_kept_with_the_run(writer: StoreWriter, reader: StoreReader) -> None:
    (run,) = specs(1, request_note="memory 1 GiB learned")
    writer.write([submitted([run])]).result()
    shown, spec = reader.run(run.run_id), reader.spec(run.run_id)
    assert shown is not None and shown["request_note"] == "memory 1 GiB learned"
    assert spec is not None and spec.request_note == "memory 1 GiB learned"
