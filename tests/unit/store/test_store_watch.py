"""What is found wrong with a running run is kept, told once, and gone when it starts again."""

from __future__ import annotations

import dataclasses

from runyard_actors.run import Outcome, Reason, RunSpec
from runyard_actors.store.changes import (
    AttemptEnded,
    EnforcementFound,
    OriginFound,
    RunStalled,
    RunWarned,
)
from runyard_actors.store.reader import StoreReader
from runyard_actors.store.writer import StoreWriter
from tests.unit.store.making import AT, SECOND, ended, specs, started, starting, submitted


def kinds(reader: StoreReader) -> list[str]:
    return [event["kind"] for event in reader.events(0, 1_000)]


def test_a_warning_is_told_once_and_stands_until_the_run_starts_again(
    writer: StoreWriter, reader: StoreReader
) -> None:
    (run,) = specs(1)
    warned = RunWarned(run_id=run.run_id, words="uses much", at=AT)
    writer.write([submitted([run]), warned, starting(run), started(run), warned, warned]).result()
    shown = reader.run(run.run_id)
    assert shown is not None and shown["warning"] == "uses much"
    assert kinds(reader).count("run_warned") == 1
    writer.write([ended(run, code=1, will_retry=True)]).result()
    shown = reader.run(run.run_id)
    assert shown is not None and shown["warning"] is None


def test_a_stall_begins_and_ends_once_each_and_no_ended_run_is_stalled(
    writer: StoreWriter, reader: StoreReader
) -> None:
    (run,) = specs(1)
    stalled = RunStalled(run_id=run.run_id, since=AT + SECOND, at=AT)
    again = dataclasses.replace(stalled, since=None)
    writer.write([submitted([run]), starting(run), started(run), again, stalled, stalled]).result()
    shown = reader.run(run.run_id)
    assert shown is not None and shown["stalled_since"] == "2026-05-28T20:26:41.000000Z"
    writer.write([again, again, stalled, ended(run)]).result()
    shown = reader.run(run.run_id)
    assert shown is not None and shown["stalled_since"] is None
    assert [k for k in kinds(reader) if k in ("run_stalled", "run_stall_ended")] == [
        "run_stalled",
        "run_stall_ended",
        "run_stalled",
    ]


def test_how_a_limit_is_held_may_turn_out_later(writer: StoreWriter, reader: StoreReader) -> None:
    (run,) = specs(1)
    found = EnforcementFound(run_id=run.run_id, enforcement={"gpu_memory": "advisory"})
    writer.write([submitted([run]), starting(run), started(run), found]).result()
    shown = reader.run(run.run_id)
    assert shown is not None
    assert shown["enforcement"] == {"memory": "poll", "gpu_memory": "advisory"}


def test_the_peak_of_gpu_memory_is_kept_with_run_and_attempt(
    writer: StoreWriter, reader: StoreReader
) -> None:
    (run,) = specs(1)
    outcome = Outcome(ended_at=AT + 9 * SECOND, reason=Reason.GPU_MEMORY_LIMIT, peak_gpu_memory=9 << 30)
    end = AttemptEnded(run_id=run.run_id, attempt=1, outcome=outcome)
    writer.write([submitted([run]), starting(run), started(run), end]).result()
    shown = reader.run(run.run_id)
    assert shown is not None and shown["peak_gpu_memory"] == 9 << 30
    assert reader.attempts(run.run_id)[0]["peak_gpu_memory"] == 9 << 30


def test_an_origin_is_told_of_once_and_only_while_its_run_is_running(
    writer: StoreWriter, reader: StoreReader
) -> None:
    early, running, late = specs(3)

    def found(run: RunSpec) -> OriginFound:
        return OriginFound(run_id=run.run_id, attempt=1, origin='{"commit":"3f2a"}', at=AT)

    writer.write([submitted([early, running, late]), *(starting(run) for run in (early, running, late))])
    # The event of its start is still to come for the first one, and the last one has ended.
    writer.write([found(early), started(running), started(late), ended(late), found(late)])
    writer.write([found(running), found(running)]).result()
    events = [e for e in reader.events(0, 1_000) if e["kind"] == "run_origin_found"]
    assert [(e["run_id"], e["data"]) for e in events] == [(running.run_id, {"attempt": 1})]
    assert set(reader.origins([early.run_id, running.run_id, late.run_id])) == {
        early.run_id,
        running.run_id,
        late.run_id,
    }
