"""A store brought from one database into another and back: nothing is lost, and it is all or nothing."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest

from runyard_actors.run import BatchId, Outcome
from runyard_actors.store import RunFilter, StoreError, StoreReader, StoreUnavailable, StoreWriter, load_state
from runyard_actors.store.changes import (
    AttemptEnded,
    Idempotency,
    ModulePut,
    ProgressReported,
    Pruned,
    RunsSubmitted,
)
from runyard_actors.store.transfer import transfer as transferring
from runyard_actors.store.transfer.transfer import transfer
from runyard_cluster.database_url import Where
from runyard_cluster.errors import InvalidRequestError
from tests.postgres_server import PostgresServer, patience
from tests.unit.store.making import AT, SECOND, life, specs, started, starting, submitted


def fill(where: Where) -> None:
    """Write some of everything: ended, active and queued runs, batches, labels, keys, modules, what was forgotten."""
    dice = random.Random(7)
    with closing(StoreWriter(where)) as writer:
        for number in range(12):
            batch_id = BatchId(f"B{number}") if number % 3 else None
            runs = specs(100, batch_id=batch_id, labels={"team": "äß\N{SNOWMAN}"}, retry_on_out_of_memory=1.1)
            writer.write([submitted(runs, at=AT + number * SECOND, name="sweep")]).result()
            writer.write(
                [c for run in runs[:60] for c in life(run, code=dice.randrange(2), at=AT + number)]
            ).result()
            writer.write([starting(runs[70]), started(runs[70])]).result()
            outcome = Outcome(
                ended_at=AT + 9, result={"loss": 0.1 + number}, cpu_seconds=1 / 3, message="a 'b' \\N\t"
            )
            writer.write(
                [starting(runs[71]), AttemptEnded(run_id=runs[71].run_id, attempt=1, outcome=outcome)]
            ).result()
            writer.write(
                [ProgressReported(run_id=runs[70].run_id, progress=1 / 7, message="x", at=AT)]
            ).result()
        key = Idempotency(key="k", digest="d")
        writer.write([RunsSubmitted(specs=specs(2), created_at=AT, idempotency=key)]).result()
        writer.write(
            [ModulePut(module_id="train", definition={"name": "Träin", "max_concurrent": 3}, at=AT)]
        ).result()
        last = specs(3)
        writer.write([submitted(last), *(c for run in last for c in life(run))]).result()
        writer.write([Pruned(run_ids=[run.run_id for run in last], before=AT)]).result()


def seen(where: Where) -> dict[str, Any]:
    """Return all that a reader and a starting manager see."""
    with closing(StoreReader(where)) as reader:
        found: list[Any] = []
        for offset in range(0, 2_000, 1_000):
            found += reader.runs(RunFilter(sort="created_at"), 1_000, offset)[0]
        for run in found:
            del run["queued_seconds"], run["duration_seconds"]
        batches = [{k: v for k, v in b.items() if k != "eta_seconds"} for b in reader.batches(100)[0]]
        return {
            "runs": found,
            "specs": reader.specs([run["run_id"] for run in found]),
            "attempts": [reader.attempts(run["run_id"]) for run in found[::50]],
            "batches": batches,
            "events": [event for after in range(0, 6_000, 1_000) for event in reader.events(after)],
            "modules": reader.modules(),
            "counts": reader.stats()["modules"],
            "key": reader.idempotent_answer("k"),
            "last": reader.last_seq(),
            "state": load_state(where),
            "labelled": reader.runs(RunFilter(label="team=äß\N{SNOWMAN}"), 3)[1],
        }


@pytest.fixture
def places(tmp_path: Path, postgres: PostgresServer) -> Callable[[str], Where]:
    def place(kind: str) -> Where:
        return tmp_path / f"{len(list(tmp_path.iterdir()))}.db" if kind == "sqlite" else postgres.fresh()

    return place


def test_all_goes_to_postgresql_and_back_and_the_writer_goes_on_there(places: Callable[[str], Where]) -> None:
    # Given a file of SQLite with some of everything
    first, there, back = places("sqlite"), places("postgres"), Path(str(places("sqlite")) + "back")
    fill(first)
    before, told = seen(first), list[tuple[str, int, int]]()
    # When it goes there and back
    gone = transfer(first, there, lambda *step: told.append(step))
    came = transfer(there, back)
    # Then everything looks the same everywhere, and progress was told of
    assert seen(first) == seen(there) == seen(back) == before
    assert gone == came
    assert gone.rows["runs"] == 1_202 and ("runs", 1_202, 1_202) in told
    # And each goes on with numbers that were never given out
    for where in (there, back):
        with closing(StoreWriter(where)) as writer, closing(StoreReader(where)) as reader:
            writer.write([submitted(specs(1, batch_id=BatchId("new")))]).result()
            assert reader.events(before["last"])[0]["seq"] == before["last"] + 1
            assert reader.runs()[1] == 1_203
            assert reader.batches()[0][0]["batch_id"] == "new"


def test_a_target_with_rows_is_refused_and_stays_as_it_is(places: Callable[[str], Where], kind: str) -> None:
    source, target = places("sqlite"), places(kind)
    if target == source:
        target = Path(f"{source}.other")
    fill(source)
    with closing(StoreWriter(target)) as writer:
        writer.write([submitted(specs(1))]).result()
    with pytest.raises(StoreError, match="is not empty"):
        transfer(source, target)
    with closing(StoreReader(target)) as reader:
        assert reader.runs()[1] == 1


def test_neither_end_may_be_in_use(places: Callable[[str], Where], tmp_path: Path, kind: str) -> None:
    used, other = places(kind), tmp_path / "other.db"
    with closing(StoreWriter(used, owner="ws1:/srv")) as writer, closing(StoreReader(used)) as reader:
        for ends in ((used, other), (other, used)):
            StoreWriter(other).close()
            soon = patience("200ms") if kind == "postgres" else nullcontext()
            with soon, pytest.raises((StoreError, StoreUnavailable), match="in use"):
                transfer(*ends)
        writer.write([submitted(specs(1))]).result()
        assert reader.runs()[1] == 1
    assert transfer(used, other).rows["runs"] == 1


def test_one_that_breaks_off_leaves_nothing_and_can_be_done_again(
    places: Callable[[str], Where], tmp_path: Path, kind: str
) -> None:
    source, target = tmp_path / "source.db", places(kind)
    fill(source)

    def break_off(what: str, done: int, total: int) -> None:
        if what == "events, read back":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transfer(source, target, break_off)
    assert seen(target)["runs"] == []
    assert sorted(file.name for file in tmp_path.iterdir()) == ["source.db"]
    transfer(source, target)
    assert seen(target) == seen(source)


def test_what_is_not_the_same_when_read_back_is_refused(
    places: Callable[[str], Where], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source.db", places("postgres")
    fill(source)
    told = transferring._told

    def lose_one(rows: Any, what: str, *more: Any) -> Any:
        rows = list(rows)
        return told(rows[1:] if what == "attempts" else rows, what, *more)

    monkeypatch.setattr(transferring, "_told", lose_one)
    with pytest.raises(StoreError, match="attempts was not brought over"):
        transfer(source, target)
    assert seen(target)["runs"] == []


def test_a_nul_becomes_another_sign_and_is_told_of(places: Callable[[str], Where], tmp_path: Path) -> None:
    source, target = tmp_path / "source.db", places("postgres")
    (run,) = specs(1)
    with closing(StoreWriter(source)) as writer:
        writer.write([submitted([run]), starting(run), started(run)]).result()
        writer.write([ProgressReported(run_id=run.run_id, message="a\0b", at=AT)]).result()
    done = transfer(source, target)
    assert done.replaced == 1
    with closing(StoreReader(target)) as reader:
        shown = reader.run(run.run_id)
    assert shown is not None and shown["message"] == "a\N{REPLACEMENT CHARACTER}b"


def test_a_source_that_is_not_there_is_old_or_the_target_itself_is_refused(tmp_path: Path) -> None:
    source, target = tmp_path / "source.db", tmp_path / "target.db"
    with pytest.raises(StoreError, match="there is no database"):
        transfer(source, target)
    with pytest.raises(InvalidRequestError, match="both"):
        transfer(source, source)
    StoreWriter(source).close()
    with closing(sqlite3.connect(source)) as raw:
        raw.execute("PRAGMA user_version = 3")
    with pytest.raises(StoreError, match="of version 3"):
        transfer(source, target)
    assert not target.exists()
