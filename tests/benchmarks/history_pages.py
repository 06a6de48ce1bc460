"""Measure pages of history over many runs: every combination of filters, in every order, at four places.

    python tests/benchmarks/history_pages.py [--runs 1000000] [--keep FOLDER] [--sample N]

Fills a database through the writer, as the product does, and then asks for pages of 50, each combination once and in
random order, with a reader as the server has it. With --keep the database stays in FOLDER and is used again by the
next call; with --sample only so many pages are asked for.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import psutil

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from runyard_actors.run import Status
from runyard_actors.store import RunFilter, StoreReader, StoreWriter, load_state
from runyard_actors.store.changes import RunsSubmitted
from runyard_actors.store.records import SORTS
from tests.benchmarks.history_fill import FIRST_AT, SECOND, fill, new_specs

LIMIT = 50
PLACES = {"first": 0.0, "quarter": 0.25, "middle": 0.5, "last": 1.0}
MARKS = (0.5, 0.95, 0.99, 1.0)
SLOWEST = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """One page and what it took, in milliseconds: by the clock, and of CPU time."""

    wanted: RunFilter
    place: str
    total: int
    wall: float
    cpu: float


def main() -> None:
    """Fill, ask, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=1_000_000)
    options.add_argument("--keep", type=Path)
    options.add_argument("--sample", type=int)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = (chosen.keep or Path(folder)) / "runyard.sqlite3"
        if not path.exists():
            fill(path, chosen.runs)
        size = path.stat().st_size
        print(f"{chosen.runs:,} runs, {size / 2**20:,.0f} MiB, {size / chosen.runs:,.0f} bytes a run\n")
        measure(path, chosen.runs, chosen.sample)
        measure_writing(path)


def measure(path: Path, runs: int, sample: int | None) -> None:
    """Ask for every page, or for a sample of them, and print what they took."""
    reader, before = StoreReader(path), _memory()
    _print_time("made ready", reader.keep_ready)
    print(f"{'memory for it':42}{_memory() - before:>10.0f} MiB\n")
    pages = list(product(_filters(runs), _sorts(), PLACES))
    random.Random(1).shuffle(pages)
    totals = {repr(filters): reader.runs(RunFilter(**filters), 1)[1] for filters in _filters(runs)}
    asked = [
        _ask(reader, RunFilter(**filters, sort=sort), place, totals[repr(filters)])
        for filters, sort, place in pages[:sample]
    ]
    _print_table(asked)
    _print_slowest(reader, asked)
    _print_time("batches, first page", reader.batches)
    _print_time("the great batch", lambda: reader.batch("great"))
    _print_time("stats", reader.stats)
    _print_time("state of a starting manager", lambda: load_state(path))
    reader.close()


def measure_writing(path: Path) -> None:
    """Submit a batch of 10,000 more, and see how long a reader takes to follow."""
    reader, writer = StoreReader(path), StoreWriter(path)
    by_label = RunFilter(label="team=team-1", sort="-duration")
    reader.keep_ready()
    submission = RunsSubmitted(specs=list(new_specs(10_000)), created_at=FIRST_AT)
    _print_time("10,000 runs accepted", lambda: writer.write([submission]).result())
    _print_time("a page by label and duration after that", lambda: reader.runs(by_label))
    writer.close()
    reader.close()


def _filters(runs: int) -> Iterator[dict[str, Any]]:
    """Yield every combination of one value for each filter, none among them."""
    middle, three_quarters = FIRST_AT + runs // 2 * SECOND, FIRST_AT + runs * 3 // 4 * SECOND
    choices: dict[str, Sequence[Any]] = {
        "statuses": [
            (),
            [Status.COMPLETED],
            [Status.FAILED],
            [Status.FAILED, Status.CANCELLED],
            [Status.QUEUED],
        ],
        "module_id": [None, "module-0", "rare"],
        "batch_id": [None, "great", "batch-2"],
        "label": [None, "team", "team=team-1", "kind"],
        "text": [None, "module-1", "epoch 0.01", "zzzzzz"],
        "times": [(None, None), (middle, None), (middle, three_quarters)],
    }
    for values in product(*choices.values()):
        chosen = dict(zip(choices, values, strict=True))
        since, until = chosen.pop("times")
        yield chosen | {"since": since, "until": until}


def _sorts() -> list[str]:
    return [sign + column for column, sign in product(SORTS, ("", "-"))]


def _ask(reader: StoreReader, wanted: RunFilter, place: str, total: int) -> Asked:
    offset = max(0, int((total - LIMIT) * PLACES[place]))
    wall, cpu = time.perf_counter(), time.thread_time()
    reader.runs(wanted, LIMIT, offset)
    cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
    return Asked(wanted, place, total, wall * 1e3, cpu * 1e3)


def _print_table(asked: Sequence[Asked]) -> None:
    print(
        f"{f'{len(asked):,} pages of {LIMIT}, in ms of CPU time':44}     p50     p95     p99   worst   clock: p95"
    )
    groups: dict[str, Callable[[Asked], bool]] = {
        **{f"by {column}": lambda a, c=column: a.wanted.sort.endswith(c) for column in SORTS},
        **{f"{place} page": lambda a, p=place: a.place == p for place in PLACES},
        **{
            f"with {name}": lambda a, n=name: bool(getattr(a.wanted, n))
            for name in ("statuses", "module_id", "batch_id", "label", "text", "since")
        },
        "all": lambda _: True,
    }
    for name, is_in in groups.items():
        group = [a for a in asked if is_in(a)]
        if group:
            spread = _spread([a.cpu for a in group])
            cells = "".join(f"{spread[mark]:>8.2f}" for mark in MARKS)
            print(f"{name:44}{cells}{_spread([a.wall for a in group])[0.95]:>13.2f}")
    print()


def _print_slowest(reader: StoreReader, asked: Sequence[Asked]) -> None:
    """Ask again for the slowest: once, anything may come in between."""
    print("the slowest: then, and as the median of five more")
    for slow in sorted(asked, key=lambda a: a.cpu, reverse=True)[:SLOWEST]:
        again = statistics.median(_ask(reader, slow.wanted, slow.place, slow.total).cpu for _ in range(5))
        words = {n: v for n in RunFilter.__dataclass_fields__ if (v := getattr(slow.wanted, n))}
        print(f"{slow.cpu:>8.2f}{again:>8.2f}  {slow.place} of {words}")
    print()


def _spread(values: Iterable[float]) -> dict[float, float]:
    ordered = sorted(values)
    return {mark: ordered[min(len(ordered) - 1, int(len(ordered) * mark))] for mark in MARKS}


def _memory() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


def _print_time(name: str, ask: Callable[[], object]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    ask()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{name:42}{wall * 1e3:>10.1f} ms, {cpu * 1e3:.1f} ms of CPU time")


if __name__ == "__main__":
    main()
