"""The index of a history: orders and sets follow what is written, by whatever way a reader comes to it."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard_actors.run import RunSpec
from runyard_actors.store import RunFilter, StoreReader, StoreWriter, apply
from runyard_actors.store.changes import Pruned
from runyard_actors.store.index import attributes, order
from runyard_actors.store.index.bits import Bits, between, places, ranked
from runyard_actors.store.index.order import Order
from tests.unit.store.making import AT, SECOND, life, specs, submitted

BY_END = RunFilter(label="k", sort="ended_at")


@given(st.sets(st.integers(0, 20_000), max_size=300), st.integers(0, 310), st.integers(0, 310))
def test_places_are_counted_and_found_by_rank(members: set[int], first: int, count: int) -> None:
    whole, ordered = Bits(members).whole, sorted(members)
    assert whole.bit_count() == len(members)
    assert list(places(whole)) == ordered
    assert ranked(whole, first, count) == ordered[first : first + count]
    inside = [place for place in ordered if 50 <= place <= 9_000]
    assert list(places(whole & between(50, 9_000))) == inside


@given(st.randoms(use_true_random=False))
def test_an_order_is_that_of_sorted_pairs_whatever_was_put(dice: random.Random) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "BLOCK", 4)
        patch.setattr(order, "SMALL", 2)
        values: dict[int, int | None] = {place: dice.randrange(9) for place in range(0, 60, 2)}
        tried = Order(sorted(values.items(), key=lambda pair: (pair[1], pair[0])))  # type: ignore[arg-type] # no None
        for _ in range(120):
            place, value = dice.randrange(80), dice.choice([None, *range(9)])
            tried.put(place, value)
            values[place] = value
        wanted = dice.sample(range(80), 50)
        expected = sorted(wanted, key=lambda p: (values.get(p) is not None, values.get(p) or 0, p))
        whole = Bits(wanted).whole
        for first in range(0, 50, 7):
            assert tried.page(whole, first, 9) == expected[first : first + 9]


def ids(reader: StoreReader, wanted: RunFilter = BY_END) -> list[str]:
    page, total = reader.runs(wanted, 1_000)
    assert total == len(page)
    return [run["run_id"] for run in page]


def written(writer: StoreWriter, count: int, at: int) -> list[RunSpec]:
    """Write runs that ended one after another, and return them in that order."""
    runs = specs(count, labels={"k": "v"})
    changes = [change for i, run in enumerate(runs) for change in life(run, at=at + i * SECOND)]
    writer.write([submitted(runs), *changes]).result()
    return runs


def test_a_reader_that_was_made_ready_follows_what_is_written(
    writer: StoreWriter, reader: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attributes, "HEAVY", 2)
    reader.keep_ready()
    assert ids(reader) == []
    late = written(writer, 3, AT + 100 * SECOND)
    reader.keep_ready()
    assert ids(reader) == [run.run_id for run in late]
    early = written(writer, 3, AT)
    assert ids(reader) == [run.run_id for run in early + late]
    writer.write([Pruned(run_ids=[early[1].run_id], before=AT)]).result()
    assert ids(reader) == [run.run_id for run in (early[0], early[2], *late)]


def test_a_reader_without_a_database_is_ready_once_there_is_one(path: Path) -> None:
    with closing(StoreReader(path)) as reader:
        reader.keep_ready()
        with closing(StoreWriter(path)) as writer:
            runs = written(writer, 2, AT)
            assert ids(reader) == [run.run_id for run in runs]


def test_a_reader_that_missed_what_was_removed_begins_anew(
    writer: StoreWriter, reader: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "FORGETTINGS_KEPT", 2)
    runs = written(writer, 6, AT)
    assert len(ids(reader)) == 6
    for run in runs[:5]:
        writer.write([Pruned(run_ids=[run.run_id], before=AT)]).result()
    assert ids(reader) == [runs[5].run_id]
    writer.write([Pruned(run_ids=[runs[5].run_id], before=AT)]).result()
    assert ids(reader) == []
    again = written(writer, 2, AT)
    assert ids(reader) == [run.run_id for run in again]


def test_the_index_is_that_of_the_database_which_is_there(path: Path) -> None:
    with closing(StoreReader(path)) as reader:
        for _ in range(2):
            for file in path.parent.glob(f"{path.name}*"):
                file.unlink()
            with closing(StoreWriter(path)) as writer:
                runs = written(writer, 3, AT)
            assert ids(reader) == [run.run_id for run in runs]


def test_threads_that_share_a_reader_see_no_page_of_two_moments(
    writer: StoreWriter, reader: StoreReader
) -> None:
    # Given readers that ask while runs are submitted and end in whole calls of five
    wrong: list[object] = []

    def read() -> None:
        seen = 0
        while seen < 200 and not wrong:
            page, total = reader.runs(RunFilter(label="k", sort="-duration"), 1_000)
            if total % 5 or total < seen or any(run["ended_at"] is None for run in page):
                wrong.append((total, seen))
            seen = total

    threads = [Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    # When they are written
    for i in range(40):
        written(writer, 5, AT + i * SECOND)
    # Then nobody saw a part of a call, nor went back in time
    for thread in threads:
        thread.join(60)
    assert wrong == []


def test_who_lies_between_two_values_is_told_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an order of many small blocks, in which values repeat, move and go
    monkeypatch.setattr(order, "BLOCK", 8)
    dice = random.Random(5)
    values = {place: dice.randrange(30) for place in range(200)}
    kept = Order(sorted(values.items(), key=lambda row: (row[1], row[0])))
    for place in dice.sample(range(260), 120):
        value = dice.choice([None, -5, *range(35)])
        kept.put(place, value)
        values.pop(place, None)
        if value is not None:
            values[place] = value
    # Then any bounds give what a look at all of them gives
    for lowest in (None, -9, -5, 0, 7, 29, 99):
        for highest in (None, -9, -5, 0, 7, 29, 99):
            expected = {
                place
                for place, value in values.items()
                if (lowest is None or value >= lowest) and (highest is None or value <= highest)
            }
            assert set(places(kept.between(lowest, highest))) == expected, (lowest, highest)
