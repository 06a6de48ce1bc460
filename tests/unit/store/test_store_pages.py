"""Pages of history under change: whatever is written in between, each is what a plain look at all runs gives."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runyard_actors.run import BatchId, Outcome, Reason, RunSpec, Status
from runyard_actors.store import RunFilter, StoreReader, StoreWriter
from runyard_actors.store.changes import AttemptEnded, Change, ProgressReported, Pruned, RunDropped
from runyard_actors.store.database import database
from runyard_actors.store.index import order
from runyard_actors.store.records import SORTS
from runyard_cluster.database_url import Where
from tests.postgres_server import PostgresServer
from tests.unit.store.making import AT, SECOND, ended, specs, started, starting, submitted

MODULES = [("train", "Train"), ("train", "Train 2"), ("eval", "Evaluate"), ("100%", "_x_")]
TIMES = st.none() | st.integers(-1, 60).map(lambda s: AT + s * SECOND)

FILTERS = st.builds(
    RunFilter,
    statuses=st.lists(st.sampled_from(Status), max_size=3),
    module_id=st.sampled_from([None, None, "train", "eval", "nobody"]),
    batch_id=st.sampled_from([None, None, "great", "small"]),
    label=st.sampled_from([None, None, "team", "team=a", "team=", "kind=x=y", "none"]),
    text=st.sampled_from([None, None, None, "train", "TRAIN 2", "valu", "%", "_", "epoch 1", "0", "zzz"]),
    since=TIMES,
    until=TIMES,
    exit_codes=st.sampled_from([(), (), (), (0,), (1,), (0, 1), (137,), (1, 137)]),
    sort=st.sampled_from([sign + column for column in SORTS for sign in ("", "-")]),
)
ASKED = st.tuples(FILTERS, st.floats(0, 1.1), st.integers(1, 40))
SCENES = st.lists(
    st.tuples(st.integers(0, 2**32), st.lists(ASKED, min_size=1, max_size=6)), min_size=1, max_size=6
)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that become two and vanish with a few hundred runs."""
    monkeypatch.setattr(order, "BLOCK", 8)
    monkeypatch.setattr(order, "SMALL", 3)


@given(scenes=SCENES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_page_is_what_a_look_at_all_runs_gives(
    small_blocks: None, scenes: list[tuple[int, list[tuple[RunFilter, float, int]]]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check_pages(Path(folder) / "runyard.db", scenes)


@given(scenes=SCENES)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_so_is_every_page_in_postgresql(
    small_blocks: None, postgres: PostgresServer, scenes: list[tuple[int, list[tuple[RunFilter, float, int]]]]
) -> None:
    check_pages(postgres.fresh(), scenes)


def check_pages(where: Where, scenes: list[tuple[int, list[tuple[RunFilter, float, int]]]]) -> None:
    with closing(StoreWriter(where)) as writer, closing(StoreReader(where)) as reader:
        known: list[RunSpec] = []
        for seed, asked in scenes:
            for changes in _happenings(random.Random(seed), known, reader):
                writer.write(changes).result()
            everything = _look(where)
            for wanted, share, limit in asked:
                expected = _plain(everything, wanted)
                offset = int(share * len(expected))
                page, total = reader.runs(wanted, limit, offset)
                found = [run["run_id"] for run in page]
                assert (found, total) == (expected[offset : offset + limit], len(expected))


def _happenings(dice: random.Random, known: list[RunSpec], reader: StoreReader) -> Iterator[list[Change]]:
    """Yield calls of the writer: submissions, lives begun, gone on with and ended, runs forgotten."""
    for _ in range(dice.randrange(1, 4)):
        fresh = [_run(dice) for _ in range(dice.randrange(1, 60))]
        at = AT + dice.randrange(60) * SECOND
        batches = sorted({run.batch_id or "" for run in fresh})
        yield [submitted([r for r in fresh if (r.batch_id or "") == b], at=at) for b in batches]
        known += fresh
    yield [change for run in dice.sample(known, len(known) // 2) for change in _step(dice, run)]
    if dice.random() < 0.5:
        before = AT + dice.randrange(120) * SECOND
        yield [Pruned(run_ids=reader.ended_before(before, dice.randrange(1, 30)), before=AT)]


def _run(dice: random.Random) -> RunSpec:
    module_id, name = dice.choice(MODULES)
    labels = {"team": dice.choice(["a", "b", ""])} | ({"kind": "x=y"} if dice.random() < 0.1 else {})
    batch_id = dice.choice([None, BatchId("great"), BatchId("great"), BatchId("small")])
    given = labels if dice.random() < 0.7 else {}
    return specs(1, module_id=module_id, module_name=name, batch_id=batch_id, labels=given)[0]


def _step(dice: random.Random, run: RunSpec) -> list[Change]:
    """Return what may happen to a run, at times that often coincide; what does not fit changes nothing."""
    begin = AT + dice.randrange(100) * SECOND
    end = begin + dice.randrange(9) * SECOND
    attempt = dice.randrange(1, 3)
    begun: list[Change] = [starting(run, attempt, at=begin), started(run, attempt, at=begin)]
    return dice.choice(
        [
            begun,
            [*begun, ProgressReported(run_id=run.run_id, message=f"epoch {dice.randrange(3)}", at=begin)],
            [*begun, ended(run, attempt, code=dice.randrange(2), at=end)],
            [*begun, ended(run, attempt, code=1, at=end, will_retry=True)],
            [ended(run, attempt, at=end)],
            [*begun, _stopped(run, attempt, dice.choice([None, 0, 137]), at=end)],
            [RunDropped(run_id=run.run_id, reason=Reason.CANCELLED_BY_USER, detail="", at=end)],
        ]
    )


def _stopped(run: RunSpec, attempt: int, code: int | None, at: int) -> AttemptEnded:
    """Return the end of a run that took too long, and then exited by itself or not."""
    outcome = Outcome(ended_at=at, exit_code=code, reason=Reason.TIMEOUT)
    return AttemptEnded(run_id=run.run_id, attempt=attempt, outcome=outcome, will_retry=False)


def _look(where: Where) -> list[dict[str, Any]]:
    opened = database(where).open_reader()
    assert opened is not None
    with closing(opened) as raw:
        runs = {
            row["seq"]: dict(row) | {"labels": {}} for row in raw.execute("SELECT * FROM runs ORDER BY seq")
        }
        for key, value, seq in raw.execute("SELECT key, value, seq FROM run_labels"):
            runs[seq]["labels"][key] = value
    return list(runs.values())


def _plain(runs: list[dict[str, Any]], wanted: RunFilter) -> list[str]:
    column = wanted.sort.removeprefix("-")
    found = [run for run in runs if _is_wanted(run, wanted, *_bounds(runs, wanted))]

    def key(run: dict[str, Any]) -> tuple[Any, ...]:
        return (run["seq"],) if column == "created_at" else (run[column] is not None, run[column], run["seq"])

    # Runs without a value are never compared by it with others, but among themselves.
    found.sort(key=lambda run: tuple(0 if part is None else part for part in key(run)))
    return [run["run_id"] for run in (found[::-1] if wanted.sort.startswith("-") else found)]


def _bounds(runs: list[dict[str, Any]], wanted: RunFilter) -> tuple[float, float]:
    """Return the seqs that `since` and `until` stand for: the clock may have gone back, the submit order does not."""
    late = [
        (r["created_at"], r["seq"]) for r in runs if wanted.since is None or r["created_at"] >= wanted.since
    ]
    soon = [
        (r["created_at"], r["seq"]) for r in runs if wanted.until is None or r["created_at"] < wanted.until
    ]
    first = 0 if wanted.since is None else min(late, default=(0, float("inf")))[1]
    last = float("inf") if wanted.until is None else max(soon, default=(0, -1))[1]
    return first, last


def _is_wanted(run: dict[str, Any], wanted: RunFilter, first: float, last: float) -> bool:
    key, is_with_value, value = (wanted.label or "").partition("=")
    texts = (run["module_id"], run["module_name"], run["message"] or "")
    words = (wanted.text or "").lower()
    return (
        (not wanted.statuses or run["status"] in wanted.statuses)
        and wanted.module_id in (None, run["module_id"])
        and wanted.batch_id in (None, run["batch_id"])
        and (not wanted.exit_codes or run["exit_code"] in wanted.exit_codes)
        and first <= run["seq"] <= last
        and (not key or key in run["labels"])
        and (not is_with_value or run["labels"].get(key) == value)
        and (any(words in text.lower() for text in texts) or run["run_id"].lower().startswith(words))
    )
