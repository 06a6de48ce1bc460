"""F22-F24, F26, F30, F32: disks that are full, fail, or cannot be written: nothing half accepted, no run ends."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from runyard_actors.store import StoreReader, StoreWriter, connection, lending
from runyard_actors.store.connection import BUSY_SECONDS, WAL_LIMIT_BYTES
from runyard_actors.store.errors import StoreTakenOver, StoreUnavailable
from tests.faults.mortal_server import MortalServer, mortal_server
from tests.faults.oracle import Ground, judge
from tests.faults.small_disk import SmallDisk, on_small_disk
from tests.in_process import in_process
from tests.rest import assert_problem, ended, run_count, submit, wait_ended
from tests.support import wait_until
from tests.unit.store.making import specs, submitted

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="namespaces and ptrace")


@contextlib.contextmanager
def caller(server: MortalServer) -> Iterator[httpx.Client]:
    """Lend a client that does not try again."""
    url = server.url()
    # As the server sees it: its data folder may lie on a disk of its own.
    token = Path(f"/proc/{server.pid}/root{server.data_dir.token_file}").read_text()
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=30) as client:
        yield client


def copied(database: Path, to: Path) -> Path:
    """Copy a store off a disk that SQLite cannot open it on; return the copy."""
    to.mkdir()
    for name in (database.name, f"{database.name}-wal"):
        shutil.copy(database.parent / name, to)
    return to / database.name


def small(ground: Ground, then: str = "sys.exit(0)", **more: Any) -> dict[str, Any]:
    """Return a small run that notes its start."""
    return {
        "command": ground.command(then, waits=more.pop("waits", False)),
        "num_cpus": 0.1,
        "memory": "32MiB",
    }


def going(http: httpx.Client, ground: Ground, then: str = "sys.exit(5)") -> str:
    """Start a run that waits for the gate; return its id."""
    run_id = str(submit(http, **small(ground, then, waits=True))["run_id"])
    wait_until(lambda: http.get(f"/api/runs/{run_id}").json()["status"] == "running", 30, "the run is going")
    return run_id


def refused(http: httpx.Client, ground: Ground, *statuses: int) -> bool:
    """Submit a batch; return whether it was refused as unavailable. One that is accepted meanwhile is no harm."""
    answer = http.post("/api/batches", json={"runs": [small(ground)] * 3})
    assert answer.status_code in (202, *statuses), answer.text
    return answer.status_code in statuses


def test_a_full_disk_with_the_store_refuses_new_work_and_costs_no_run(tmp_path: Path) -> None:
    ground, place = Ground(tmp_path), tmp_path / "store"
    store = {"database_url": f"sqlite:///{place}/runyard.db"}
    with mortal_server(tmp_path, prefix=on_small_disk(place), **store) as server, caller(server) as http:
        run_id = going(http, ground)
        disk = SmallDisk(server.pid, place)
        disk.fill()
        # What SQLite had ready on disk may take a few more; none of them is accepted by half
        wait_until(lambda: refused(http, ground, 507), 30, "refused for want of space")
        before = run_count(http)
        problem = assert_problem(http.post("/api/batches", json={"runs": [small(ground)] * 3}), 507)
        assert "free some space" in problem["detail"]
        assert run_count(http) == before
        ground.gate.touch()
        wait_until(lambda: http.get("/readyz").status_code == 503, 30, "not ready: an end cannot be recorded")
        assert http.get(f"/api/runs/{run_id}").json()["status"] == "running"
        disk.empty()
        # Then the end that happened meanwhile is there, and new work is accepted, by itself
        assert wait_ended(http, run_id)["exit_code"] == 5
        last = submit(http, **small(ground))["run_id"]
        assert wait_ended(http, last)["status"] == "completed"
        wait_until(lambda: http.get("/readyz").status_code == 200, 20, "ready again")
        wait_until(
            lambda: not http.get("/api/runs", params={"status": "queued"}).json()["total"], 30, "all started"
        )
        wait_until(
            lambda: not http.get("/api/runs", params={"status": "running"}).json()["total"], 30, "all ended"
        )
        copy = copied(disk.root / "runyard.db", tmp_path / "copy")
        verdict = judge(ground, copy, server.data_dir.runs, [run_id, last], slots=10)
        assert verdict.is_good, verdict


def test_a_full_disk_with_the_logs_does_not_end_a_run_that_lives_with_it(tmp_path: Path) -> None:
    ground, place = Ground(tmp_path), tmp_path / "data"
    store = {"database_url": f"sqlite:///{tmp_path}/store/runyard.db"}
    tries = """
for n in range(200):
    try: os.write(1, b'x' * 65536)
    except OSError: full = True
time.sleep(0.5); sys.exit(6 if full else 1)"""
    with mortal_server(tmp_path, prefix=on_small_disk(place), **store) as server, caller(server) as http:
        run_id = going(http, ground, tries)
        disk = SmallDisk(server.pid, place)
        disk.fill()

        def warning() -> str:
            return str(http.get(f"/api/runs/{run_id}").json()["warning"])

        wait_until(
            lambda: "the disk with its log is full" in warning(), 60, "its log is said to lack something"
        )
        ground.gate.touch()
        # How it ends is recorded, for which there is room, and that the log lacks something stays with it
        assert wait_ended(http, run_id)["exit_code"] == 6
        assert "the disk with its log is full" in warning()
        # The store, on another disk, takes new work; a run that finds no room for its folder says so
        late = submit(http, **small(ground))["run_id"]
        assert http.get("/readyz").status_code == 200
        failed = wait_ended(http, late)
        assert failed["reason"] == "start_error"
        assert "No space left on device" in failed["reason_detail"]
        disk.empty()
        assert wait_ended(http, submit(http, **small(ground))["run_id"])["status"] == "completed"


def test_a_run_is_cancelled_while_there_is_no_room_for_the_words(tmp_path: Path) -> None:
    ground, place = Ground(tmp_path), tmp_path / "data"
    store = {"database_url": f"sqlite:///{tmp_path}/store/runyard.db"}
    with mortal_server(tmp_path, prefix=on_small_disk(place), **store) as server, caller(server) as http:
        run_id = going(http, ground)
        SmallDisk(server.pid, place).fill()
        assert http.post(f"/api/runs/{run_id}/cancel", json={}).is_success
        ended = wait_ended(http, run_id)
        assert (ended["status"], ended["reason"]) == ("cancelled", "cancelled_by_user")


def test_code_that_finds_no_room_is_refused_and_what_needs_none_goes_on(tmp_path: Path) -> None:
    ground, place, project = Ground(tmp_path), tmp_path / "data" / "code", tmp_path / "project"
    project.mkdir()
    (project / "main.py").write_text("print(1)\n")
    shipped = {"script": str(project / "main.py"), "cwd": str(project), "code": "ship", "num_cpus": 0.1}
    with mortal_server(tmp_path, prefix=on_small_disk(place)) as server, caller(server) as http:
        disk = SmallDisk(server.pid, place)
        disk.fill()
        problem = assert_problem(http.post("/api/runs", json=shipped), 507)
        assert problem["detail"].startswith(
            f"code cannot be shipped: {place} cannot be written: No space left"
        )
        assert run_count(http) == 0
        assert wait_ended(http, submit(http, **small(ground))["run_id"])["exit_code"] == 0
        disk.empty()
        assert wait_ended(http, submit(http, **shipped)["run_id"])["exit_code"] == 0


FAILS = {
    "sync fails": ("fdatasync,fsync:error=EIO", 503),
    "write fails": ("pwrite64:error=EIO", 503),
    "became read-only": ("pwrite64:error=EROFS", 503),
    "quota": ("pwrite64:error=ENOSPC", 507),
}


@contextlib.contextmanager
def failing(pid: int, calls: str, folder: Path) -> Iterator[None]:
    """Have system calls of a process fail for the length of the block."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    told = folder / "strace"
    names = calls.partition(":")[0]
    command = [
        "strace",
        "-f",
        "-p",
        str(pid),
        "-o",
        os.devnull,
        "-e",
        f"trace={names}",
        "-e",
        f"inject={calls}",
    ]
    with told.open("wb") as output, subprocess.Popen(command, stderr=output) as tracer:
        try:
            wait_until(
                lambda: "attached" in told.read_text() or tracer.poll() is not None, 20, "strace is there"
            )
            if tracer.poll() is not None:
                pytest.skip(f"strace may not look here: {told.read_text()}")
            yield
        finally:
            tracer.send_signal(signal.SIGINT)


@pytest.mark.parametrize("fails", FAILS)
def test_a_disk_that_fails_refuses_new_work_and_service_resumes(fails: str, tmp_path: Path) -> None:
    calls, status = FAILS[fails]
    ground = Ground(tmp_path)
    with mortal_server(tmp_path) as server, caller(server) as http:
        run_id = going(http, ground)
        before = run_count(http)
        with failing(server.pid, calls, tmp_path):
            assert_problem(http.post("/api/batches", json={"runs": [small(ground)] * 3}), status)
            assert run_count(http) == before
            ground.gate.touch()
            wait_until(lambda: http.get("/readyz").status_code == 503, 30, "not ready")
        assert wait_ended(http, run_id)["exit_code"] == 5
        batch = http.post("/api/batches", json={"runs": [small(ground)] * 3}).json()
        ids = [run["run_id"] for run in batch["runs"]]
        assert [wait_ended(http, each)["status"] for each in ids] == ["completed"] * 3
        assert server.deaths == 0
        verdict = judge(ground, server.data_dir.database, server.data_dir.runs, [run_id, *ids], slots=10)
        assert verdict.is_good, verdict


def test_a_store_that_somebody_locks_refuses_in_time_and_serves_again(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    with in_process(tmp_path) as server, server.http() as http:
        run_id = going(http, ground)
        with closing(sqlite3.connect(server.data_dir.database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            ground.gate.touch()
            began = time.monotonic()
            assert_problem(http.post("/api/runs", json=small(ground)), 503, "locked")
            assert time.monotonic() - began < 2 * BUSY_SECONDS + 5
            assert http.get(f"/api/runs/{run_id}").json()["status"] == "running", "what is stored can be read"
            other.execute("ROLLBACK")
        assert wait_ended(http, run_id)["exit_code"] == 5
        assert ended(http, submit(http, **small(ground))["run_id"]) is None or run_count(http) == 2


def test_a_store_that_somebody_moves_away_takes_nothing_in_until_it_is_back(tmp_path: Path) -> None:
    ground, away = Ground(tmp_path), tmp_path / "away"
    away.mkdir()
    with in_process(tmp_path) as server, server.http() as http:
        run_id = going(http, ground)
        database = server.data_dir.database
        files = [Path(f"{database}{end}") for end in ("", "-wal", "-shm")]
        for file in files:
            file.rename(away / file.name)
        assert_problem(http.post("/api/runs", json=small(ground)), 503, "moved away or removed")
        assert_problem(http.get(f"/api/runs/{run_id}"), 503, "put it back")
        ground.gate.touch()
        wait_until(lambda: http.get("/readyz").status_code == 503, 30, "not ready: an end cannot be recorded")
        assert not database.exists(), "nobody made an empty one in its place"
        for file in files:
            (away / file.name).rename(file)
        # Then the end that happened meanwhile is there, and new work is accepted, by itself
        assert wait_ended(http, run_id)["exit_code"] == 5
        assert wait_ended(http, submit(http, **small(ground))["run_id"])["status"] == "completed"
        assert run_count(http) == 2


def test_a_writer_whose_database_was_replaced_writes_no_more(tmp_path: Path) -> None:
    path, copy = tmp_path / "runyard.db", tmp_path / "copy.db"
    writer = StoreWriter(path)
    writer.write([submitted(specs(3))]).result(20)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    copy.replace(path)
    with pytest.raises(StoreTakenOver):
        writer.write([submitted(specs(3))]).result(20)
    writer.close()


def test_a_reader_that_never_leaves_lets_the_log_grow_no_longer_than_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "runyard.db"
    writer = StoreWriter(path)
    log = Path(f"{path}-wal")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM runs").fetchone()
        while log.stat().st_size < WAL_LIMIT_BYTES + (1 << 20):
            writer.write([submitted(specs(2_000))]).result(20)
    for _ in range(3):
        writer.write([submitted(specs(10))]).result(20)
    assert log.stat().st_size <= WAL_LIMIT_BYTES
    writer.close()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.mark.parametrize("is_reading", [True, False], ids=["in a query", "between two"])
def test_a_reader_of_ours_that_hangs_is_cut_off_and_the_log_cut_back(
    is_reading: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lending, "READ_SECONDS", 0.0)
    monkeypatch.setattr(connection, "SWOLLEN_WAL_BYTES", WAL_LIMIT_BYTES + (1 << 20))
    path = tmp_path / "runyard.db"
    writer, reader, log = StoreWriter(path), StoreReader(path), Path(f"{path}-wal")
    has_begun, may_go_on = threading.Event(), threading.Event()

    def hang() -> None:
        with reader._snapshot() as mine:
            assert mine is not None
            mine.execute("SELECT count(*) FROM runs").fetchone()
            has_begun.set()
            if is_reading:
                mine.execute(ENDLESS).fetchone()
            may_go_on.wait(60)

    with ThreadPoolExecutor(1) as thread:
        hanging = thread.submit(hang)
        assert has_begun.wait(30)
        # Given a log that has grown, but not too large: whoever reads may go on
        writer.write([submitted(specs(100))]).result(20)
        reader.cut_off()
        assert not hanging.done()
        while log.stat().st_size < connection.SWOLLEN_WAL_BYTES:
            writer.write([submitted(specs(2_000))]).result(20)
        # When somebody else reads, then who hangs is told, and keeps nothing any more
        assert reader.last_seq() > 0
        may_go_on.set()
        with pytest.raises(StoreUnavailable):
            hanging.result(60)
    for _ in range(3):
        writer.write([submitted(specs(10))]).result(20)
    assert log.stat().st_size <= WAL_LIMIT_BYTES
    assert reader.counts()["queued"] > 2_000
    reader.close()
    writer.close()


def test_a_server_on_a_read_only_disk_says_so_and_does_not_start(tmp_path: Path) -> None:
    place = tmp_path / "data"
    config = tmp_path / "runyard.toml"
    config.write_text(f"data_dir = {json.dumps(str(place))}\n")
    command = [sys.executable, "-m", "runyard.server.host", "--config", str(config)]
    done = subprocess.run(
        [*on_small_disk(place, "ro"), *command], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 3, done.stderr
    assert str(place) in done.stderr
    assert "Read-only file system" in done.stderr
