"""The oracle notices: of what is broken on purpose, and of a product that breaks its protocol."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from runyard_actors.attempt_file import COOKIE
from runyard_actors.run_folder import RunFolder
from runyard_cluster.data_dir import DataDir
from tests.faults import oracle
from tests.faults.mortal_server import mortal_server
from tests.faults.oracle import Ground, Verdict, judge
from tests.in_process import in_process
from tests.support import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signal 9; spawners fork")

SLOTS = 2
#: Who is killed where, by a fault of the product, and what the oracle then finds.
BROKEN = [
    ("answers_before_the_disk_has_it", "start.before_commit", {"lost"}),
    ("admits_before_it_adopts", "agent.after_launch", {"wrong"}),
    ("starts_without_looking", "agent.after_launch", {"twice"}),
]


@dataclass
class Records:
    """A copy of what a server left behind, to be tampered with."""

    ground: Ground
    data: DataDir
    run_ids: list[str]

    def judge(self) -> Verdict:
        """Ask the oracle."""
        return judge(self.ground, self.data.database, self.data.runs, self.run_ids, SLOTS)

    def change(self, query: str, *values: object) -> None:
        """Change the store."""
        with closing(sqlite3.connect(self.data.database)) as store, store:
            store.execute(query, values)

    def nonce(self) -> str:
        """Return the cookie of the first run."""
        with closing(sqlite3.connect(self.data.database)) as store:
            query = "SELECT nonce FROM attempts WHERE run_id = ?"
            return str(store.execute(query, [self.run_ids[0]]).fetchone()[0])


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder of a server that ran three runs, and their ids."""
    folder = tmp_path_factory.mktemp("left")
    with in_process(folder, max_concurrent_runs=SLOTS) as server, server.client() as client:
        run = {"command": Ground(folder).command(), "num_cpus": 0.1, "memory": "64MiB"}
        run_ids = [str(r["run_id"]) for r in client.submit_batch({"runs": [run] * 3})["runs"]]
        client.wait(run_ids, 60)
    return folder, run_ids


@pytest.fixture
def records(left: tuple[Path, list[str]], tmp_path: Path) -> Records:
    folder, run_ids = left
    for name in ("data", "starts"):
        copy = shutil.copytree if name == "data" else shutil.copy
        copy(folder / name, tmp_path / name)
    return Records(Ground(tmp_path), DataDir(tmp_path / "data"), run_ids)


def test_it_finds_nothing_where_nothing_is_wrong(records: Records) -> None:
    assert records.judge().is_good


def test_it_notices_a_second_start(records: Records) -> None:
    with records.ground.starts.open("a") as file:
        file.write(f"{records.run_ids[1]} 1 4711\n")
    assert records.judge().twice == [f"{records.run_ids[1]} attempt 1 started 2 times"]


def test_it_notices_a_start_that_the_store_knows_nothing_of(records: Records) -> None:
    with records.ground.starts.open("a") as file:
        file.write(f"{records.run_ids[1]} 2 4711\n")
    assert records.judge().wrong


def test_it_notices_a_lost_run(records: Records) -> None:
    records.run_ids.append("01ARZ3NDEKTSV4RRFFQ69G5FAV")
    assert records.judge().lost == ["01ARZ3NDEKTSV4RRFFQ69G5FAV was answered and is not there"]


@pytest.mark.parametrize(
    "query",
    [
        "UPDATE runs SET status = 'running' WHERE run_id = ?",
        "UPDATE attempts SET ended_at = NULL WHERE run_id = ?",
        "UPDATE attempts SET exit_code = 9 WHERE run_id = ?",
        "DELETE FROM events WHERE kind = 'run_ended' AND run_id = ?",
        "INSERT INTO events (at, kind, run_id) VALUES (1, 'run_ended', ?)",
        "DELETE FROM attempts WHERE run_id = ?",
    ],
)
def test_it_notices_what_does_not_agree(records: Records, query: str) -> None:
    records.change(query, records.run_ids[0])
    assert records.judge().wrong


def test_it_notices_more_active_runs_than_slots(records: Records) -> None:
    records.change("UPDATE attempts SET claimed_at = 1")
    assert records.judge().wrong == [f"3 attempts were active at once, with {SLOTS} slots"]


def test_it_notices_an_exit_code_of_what_never_started(records: Records) -> None:
    records.ground.starts.write_text("")
    assert len(records.judge().wrong) == 3


@pytest.fixture
def leftover(records: Records) -> Iterator[subprocess.Popen[bytes]]:
    """A process with the cookie of the first run."""
    environ = {**os.environ, COOKIE: records.nonce()}
    with subprocess.Popen(["sleep", "60"], env=environ) as process:
        yield process
        process.kill()


def test_it_notices_a_process_that_outlived_its_run(
    records: Records, leftover: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oracle, "GONE_SECONDS", 1.0)
    found = records.judge().left
    assert len(found) == 1
    assert f"process {leftover.pid} is left" in found[0]


def test_it_notices_a_folder_of_no_attempt(records: Records) -> None:
    RunFolder.of(records.data.runs, records.run_ids[0], 7).create()
    assert records.judge().wrong


@pytest.mark.parametrize("point", sorted({point for _, point, _ in BROKEN}))
def test_a_server_that_keeps_its_promises_passes(point: str, tmp_path: Path) -> None:
    verdict = killed_once("keeps_every_promise", point, tmp_path)
    assert verdict.is_good, verdict


@pytest.mark.parametrize(("mutant", "point", "kinds"), BROKEN, ids=[mutant for mutant, _, _ in BROKEN])
def test_a_server_that_breaks_its_protocol_does_not(
    mutant: str, point: str, kinds: set[str], tmp_path: Path
) -> None:
    verdict = killed_once(mutant, point, tmp_path)
    found = {kind for kind in ("lost", "twice", "left", "wrong") if getattr(verdict, kind)}
    assert found >= kinds, verdict


def killed_once(mutant: str, point: str, folder: Path) -> Verdict:
    """Have a server start two runs that wait, die at a point, and start again; return the oracle's verdict."""
    ground, mark = Ground(folder), folder / "hit"
    program = ("tests.faults.mutants", mutant)
    run = {"command": ground.command(waits=True), "num_cpus": 0.1, "memory": "64MiB"}
    with mortal_server(folder, f"{point}:kill={mark}", program=program, max_concurrent_runs=SLOTS) as server:
        with server.client() as client:
            answered = [str(client.submit(run)["run_id"])]
            wait_until(lambda: server.deaths, 60, "the server died")
            answered.append(str(client.submit(run)["run_id"]))
            wait_until(lambda: len(ground.noted()) >= 1, 60, "a run goes on")
            ground.gate.touch()
            wait_until(lambda: is_idle(client.resources()["semaphore"]), 60, "all has ended")
        return judge(ground, server.data_dir.database, server.data_dir.runs, answered, SLOTS)


def is_idle(semaphore: dict[str, int]) -> bool:
    """Whether nothing waits, and nothing runs."""
    return not semaphore["active"] and not semaphore["queued"]
