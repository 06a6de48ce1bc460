"""Pages of history: every filter, sort and place gives what a plain look at all runs gives."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, product
from typing import Any

import pytest

from runyard_actors.run import BatchId, RunSpec, Status
from runyard_actors.store import RunFilter, StoreReader, StoreWriter
from runyard_actors.store.changes import Change, ProgressReported
from runyard_actors.store.index import find
from runyard_cluster.database_url import Where
from runyard_cluster.errors import InvalidRequestError
from tests.unit.store.making import AT, SECOND, ended, specs, started, starting, submitted

#: Enough for several blocks of 1024.
RUNS = 3_300


@pytest.fixture(scope="module")
def filled(
    kind: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[StoreReader]:
    path = tmp_path_factory.mktemp("history") / "runyard.sqlite3"
    where = path if kind == "sqlite" else request.getfixturevalue("postgres").fresh()
    writer, dice = StoreWriter(where), random.Random(3)
    for first in range(0, RUNS, 100):
        runs = [_run(dice, first) for _ in range(100)]
        at = AT + first * SECOND
        writer.write([submitted(runs, at=at)]).result()
        writer.write([change for run in runs for change in _some_life(run, at, dice)]).result()
    writer.close()
    with closing(StoreReader(where)) as reader:
        yield reader


def _run(dice: random.Random, first: int) -> RunSpec:
    module = dice.choice(["train", "train", "train", "eval", "résumé_100%"])
    batch_id = BatchId("great") if first % 300 else None
    labels = {"team": dice.choice("ab")} if dice.random() < 0.5 else {}
    return specs(1, module_id=module, module_name=module.title(), batch_id=batch_id, labels=labels)[0]


def _some_life(run: RunSpec, at: int, dice: random.Random) -> Iterator[Change]:
    luck, begin = dice.random(), at + dice.randrange(500 * SECOND)
    if luck < 0.1:
        return
    yield starting(run, at=begin)
    yield started(run, at=begin)
    if luck < 0.3:
        yield ProgressReported(run_id=run.run_id, message=f"epoch {dice.randrange(9)}", at=begin)
    if luck > 0.2:
        yield ended(run, code=int(luck > 0.8), at=begin + dice.randrange(1, 9) * SECOND)


STRUCTURES: list[dict[str, Any]] = [
    {},
    {"statuses": [Status.FAILED, Status.FAILED]},
    {"statuses": [Status.QUEUED, Status.RUNNING]},
    {"module_id": "train"},
    {"module_id": "eval", "statuses": [Status.COMPLETED]},
    {"batch_id": "great"},
    {"batch_id": "great", "module_id": "eval", "statuses": [Status.FAILED, Status.RUNNING]},
    {"since": AT + 1_000 * SECOND},
    {"until": AT + 1_000 * SECOND, "module_id": "train"},
    {"since": AT + 150 * SECOND, "until": AT + 2_950 * SECOND, "statuses": [Status.COMPLETED]},
    {"since": AT + 10**6 * SECOND},
    {"module_id": "nobody"},
]
SEARCHES: list[dict[str, Any]] = [
    {"label": "team"},
    {"label": "team=a"},
    {"label": "team=a", "text": "EVAL", "statuses": [Status.FAILED]},
    {"text": "epoch 3"},
    {"text": "100%"},
    {"text": "_"},
    {"text": "nowhere"},
    {"shortest": 4 * SECOND},
    {"longest": 3 * SECOND, "module_id": "train"},
    {"shortest": 2 * SECOND, "longest": 5 * SECOND, "statuses": [Status.FAILED]},
    {"shortest": 2 * SECOND, "longest": 2 * SECOND, "label": "team=a"},
    {"shortest": 9 * SECOND},
    {"longest": 0},
]
SORTS = [
    sign + column for sign, column in product(("", "-"), ("created_at", "started_at", "ended_at", "duration"))
]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("given", [*STRUCTURES, *SEARCHES], ids=str)
def test_a_page_is_what_a_look_at_all_runs_gives(
    filled: StoreReader, given: dict[str, Any], sort: str
) -> None:
    wanted = RunFilter(**given, sort=sort)
    expected = [run["run_id"] for run in _plain(_everything(filled), wanted)]
    for offset in (0, 7, len(expected) // 2, max(0, len(expected) - 3), 10**9):
        page, total = filled.runs(wanted, 5, offset)
        assert total == len(expected)
        assert [run["run_id"] for run in page] == expected[offset : offset + 5]


_cache: dict[int, list[dict[str, Any]]] = {}


def _everything(reader: StoreReader) -> list[dict[str, Any]]:
    if id(reader) not in _cache:
        oldest_first = RunFilter(sort="created_at")
        pages = [reader.runs(oldest_first, 1_000, offset)[0] for offset in range(0, RUNS, 1_000)]
        _cache[id(reader)] = list(chain.from_iterable(pages))
    return _cache[id(reader)]


def _plain(runs: Sequence[dict[str, Any]], wanted: RunFilter) -> list[dict[str, Any]]:
    found = [(i, run) for i, run in enumerate(runs) if _is_wanted(run, wanted)]
    column = wanted.sort.removeprefix("-")

    def key(numbered: tuple[int, dict[str, Any]]) -> tuple[bool, Any, int]:
        i, run = numbered
        if column == "created_at":
            return True, 0, i
        value = run["duration_seconds"] if column == "duration" else run[column]
        if column == "duration" and run["ended_at"] is None:
            value = None
        return value is not None, value or 0 if column == "duration" else value or "", i

    return [run for _, run in sorted(found, key=key, reverse=wanted.sort.startswith("-"))]


def _is_wanted(run: dict[str, Any], wanted: RunFilter) -> bool:
    key, _, value = (wanted.label or "").partition("=")
    created = datetime.fromisoformat(run["created_at"]) - datetime(1970, 1, 1, tzinfo=UTC)
    at = round(created.total_seconds()) * SECOND
    took = None if run["ended_at"] is None else run["duration_seconds"]
    texts = (run["module_id"], run["module_name"], run["message"] or "")
    return (
        (not wanted.statuses or run["status"] in wanted.statuses)
        and wanted.module_id in (None, run["module_id"])
        and wanted.batch_id in (None, run["batch_id"])
        and (wanted.since is None or at >= wanted.since)
        and (wanted.until is None or at < wanted.until)
        and (wanted.shortest is None or (took is not None and took * SECOND >= wanted.shortest))
        and (wanted.longest is None or (took is not None and took * SECOND <= wanted.longest))
        and (not key or key in run["labels"])
        and (not value or run["labels"].get(key) == value)
        and (not wanted.text or any(wanted.text.lower() in text.lower() for text in texts))
    )


def test_a_text_is_looked_for_in_the_newest_messages(
    filled: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = _everything(filled)
    with_message = [run for run in everything if run["message"]]
    expected = [run["run_id"] for run in with_message[-60:] if "epoch 3" in run["message"]]
    monkeypatch.setattr(find, "TEXT_LIMIT", 60)
    page, total = filled.runs(RunFilter(text="epoch 3", sort="created_at"))
    assert ([run["run_id"] for run in page], total) == (expected, len(expected))


def test_a_run_is_found_by_the_start_of_its_id(filled: StoreReader) -> None:
    run_id = _everything(filled)[1_000]["run_id"]
    page, _ = filled.runs(RunFilter(text=run_id.lower()))
    assert [run["run_id"] for run in page] == [run_id]


def test_totals_follow_every_change_of_status(filled: StoreReader) -> None:
    runs = _everything(filled)
    by_status = {status.value: sum(run["status"] == status for run in runs) for status in Status}
    assert filled.stats()["counts"] == by_status
    batch = filled.batch("great")
    assert batch is not None
    assert batch["total"] == sum(run["batch_id"] == "great" for run in runs)
    assert sum(sum(counts.values()) for counts in filled.stats()["modules"].values()) == RUNS


def test_order_and_bounds_hold_when_the_clock_was_set_back(where: Where, writer: StoreWriter) -> None:
    ids = []
    for at in (AT, AT + 10 * SECOND, AT + 3 * SECOND, AT + 20 * SECOND):
        (run,) = specs(1)
        ids.append(run.run_id)
        writer.write([submitted([run], at=at)]).result()
    with closing(StoreReader(where)) as reader:
        assert [run["run_id"] for run in reader.runs()[0]] == ids[::-1]
        late, total = reader.runs(RunFilter(since=AT + 15 * SECOND))
        assert ([run["run_id"] for run in late], total) == (ids[3:], 1)


def test_an_unknown_sort_names_those_allowed(filled: StoreReader) -> None:
    with pytest.raises(InvalidRequestError, match="created_at, started_at"):
        filled.runs(replace(RunFilter(), sort="colour"))
