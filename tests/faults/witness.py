"""A witness of tests: adds up what became of every run of every server that they had, whatever they look at themselves.

It is told of each verdict of the oracle, and looks into the stores that a test left in its folder without asking it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runyard_actors.run_folder import RunFolder
from runyard_cluster.data_dir import DataDir
from tests.faults import oracle
from tests.faults.oracle import Verdict, left_of


@dataclass(slots=True)
class Row:
    """What was seen of one fault, or of one file of them."""

    tests: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    stores: dict[tuple[int, str], tuple[int, Verdict]] = field(default_factory=dict)
    passes: int = 0

    def add(self, store: str, runs: int, verdict: Verdict) -> None:
        """Take note of a verdict; a later one of the same store takes its place."""
        self.stores[self.passes, store] = runs, verdict

    @property
    def cells(self) -> tuple[int, ...]:
        """Scenarios, runs, lost, twice, left behind, and what was wrong otherwise."""
        verdicts = [verdict for _, verdict in self.stores.values()]
        counts = (sum(len(getattr(v, kind)) for v in verdicts) for kind in ("lost", "twice", "left", "wrong"))
        lost, twice, left, wrong = counts
        scenarios = self.tests["passed"] + self.tests["failed"]
        runs = sum(runs for runs, _ in self.stores.values())
        return scenarios, runs, lost, twice, left, wrong + self.tests["failed"]

    @property
    def words(self) -> list[str]:
        """All that was wrong."""
        verdicts = [verdict for _, verdict in self.stores.values()]
        found = [w for v in verdicts for kind in ("lost", "twice", "left", "wrong") for w in getattr(v, kind)]
        return found + self.failures


class Witness:
    """A plugin of pytest: one row for each file of tests."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._row = Row()
        self._folder: Path | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Listen to the oracle for as long as a test takes, and look at what it left behind."""
        self._row, self._folder = self.rows.setdefault(item.path.stem, Row()), None
        oracle.on_verdict.append(self._note)
        try:
            return (yield)
        finally:
            oracle.on_verdict.remove(self._note)
            self._row.passes += 1
            if self._folder:
                self._look(self._folder)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Remember the test's own folder."""
        self._folder = getattr(item, "funcargs", {}).get("tmp_path")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count tests by how they ended; one that fails in its tidying up failed."""
        if report.when == "call" or report.failed or report.skipped:
            self._row.tests[report.outcome] += 1
        if report.failed:
            self._row.failures.append(f"{report.nodeid}: {report.longreprtext}")

    def _note(self, database: Path, runs: int, verdict: Verdict) -> None:
        self._row.add(str(database), runs, verdict)

    def _look(self, folder: Path) -> None:
        asked = {store for _, store in self._row.stores}
        for database in folder.rglob(DataDir(folder).database.name):
            if str(database) not in asked:
                self._row.add(str(database), *looked_at(database))


def looked_at(database: Path) -> tuple[int, Verdict]:
    """Return how many runs a store that nobody serves any more has, and what is wrong with them.

    What waits, waits for the next server. What runs has a supervisor, or it would show as running for ever.
    """
    verdict = Verdict()
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as store:
        runs = {row[0] for row in store.execute("SELECT run_id FROM runs")}
        attempts = store.execute("SELECT run_id, attempt, nonce, ended_at FROM attempts").fetchall()
        query = "SELECT run_id FROM events WHERE kind = 'run_ended'"
        ends = Counter(row[0] for row in store.execute(query))
    folders = DataDir(database.parent).runs
    for run_id, number, _, ended_at in attempts:
        if ended_at is None and not RunFolder.of(folders, run_id, number).is_alive():
            verdict.lost.append(f"{run_id} attempt {number} has no end, and no supervisor")
    verdict.wrong = [f"{run_id} ended {count} times" for run_id, count in ends.items() if count > 1]
    noted = Counter(tuple(line.split()[:2]) for line in _lines(database.parent.parent / "starts"))
    verdict.twice = [f"{who} started {count} times" for who, count in noted.items() if count > 1]
    verdict.left = left_of([nonce for _, _, nonce, ended_at in attempts if ended_at is not None])
    return len(runs), verdict


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except FileNotFoundError:
        return []
