"""Processes and files of this system: locks, identities, trees, cookies, records in one step."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard_cluster import failpoint, process
from runyard_cluster.files import create_exclusively, durable_replace
from runyard_cluster.process import FileLock
from tests.support import python, wait_until

HOLD = "import sys; sys.path[:0] = sys.argv[2:]\nfrom runyard_cluster.process import FileLock\n"
HOLD += "lock = FileLock.acquire(sys.argv[1]); print(lock is not None, flush=True); sys.stdin.read()"
ROOT = str(Path(process.__file__).parents[2])


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lock `tmp_path / "lock"`."""
    command = [*python(HOLD), str(tmp_path / "lock"), ROOT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert started.stdout.readline().strip() == b"True"
        yield started
        started.kill()


def test_a_lock_is_held_by_one_and_ends_with_its_process(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    lock = tmp_path / "lock"
    assert process.is_locked(lock)
    assert FileLock.acquire(lock) is None
    waiter = threading.Thread(target=process.wait_unlocked, args=(lock,))
    waiter.start()
    assert waiter.is_alive()
    holder.kill()
    waiter.join(10)
    assert not waiter.is_alive()
    assert not process.is_locked(lock)


def test_a_released_lock_is_free(tmp_path: Path) -> None:
    first = FileLock.acquire(tmp_path / "lock")
    assert first is not None
    first.release()
    second = FileLock.acquire(tmp_path / "lock")
    assert second is not None
    second.release()


def test_a_missing_lock_file_is_not_locked_and_not_made(tmp_path: Path) -> None:
    assert not process.is_locked(tmp_path / "lock")
    process.wait_unlocked(tmp_path / "lock")
    assert not (tmp_path / "lock").exists()


def test_a_process_is_known_by_its_start(holder: subprocess.Popen[bytes]) -> None:
    start = process.process_start_time(holder.pid)
    assert start is not None
    assert process.is_same_process(holder.pid, start)
    assert not process.is_same_process(holder.pid, start + 1)
    holder.kill()
    wait_until(lambda: process.process_start_time(holder.pid) is None, 10, "the zombie's end")


def test_a_boot_keeps_its_name() -> None:
    assert process.boot_id() == process.boot_id() != ""


def test_a_tree_is_listed_and_measured() -> None:
    code = "import os, time\nx = b'x' * 30_000_000\nos.fork()\nprint(flush=True)\ntime.sleep(60)"
    with subprocess.Popen(python(code), stdout=subprocess.PIPE) as root:
        assert root.stdout is not None
        root.stdout.readline()
        below = wait_until(lambda: process.tree([root.pid]), 10, "the child")
        assert root.pid not in below
        assert root.pid in process.tree([os.getpid()])
        rows = {pid: memory for pid, _, _, _, memory in process.process_table()}
        resident = sum(rows[pid] for pid in [root.pid, *below])
        assert resident > 50_000_000
        assert 25_000_000 < process.tree_anonymous_bytes([root.pid, *below]) < 50_000_000
        assert process.tree_size([os.getpid()])[0] >= resident * 0.9
        process.kill_pids([root.pid, *below])


def test_a_cookie_finds_whoever_was_started_with_it() -> None:
    with subprocess.Popen(["sleep", "60"], env={**os.environ, "COOKIE": "a b=c"}) as started:
        wait_until(lambda: process.find_by_cookie("COOKIE", "a b=c") == [started.pid], 10, "the find")
        assert process.find_by_cookie("COOKIE", "a b") == []
        assert process.sweep("COOKIE", "a b=c", limit_seconds=10) == []
        assert started.wait(10) != 0


def test_a_detached_process_has_a_session_of_its_own(tmp_path: Path) -> None:
    log = tmp_path / "log"
    pid = process.spawn_detached(
        python("import os; print(os.getsid(0) == os.getpid(), os.environ['X'], os.getcwd())"),
        env={**os.environ, "X": "y"},
        cwd=str(tmp_path),
        stdout=log,
    )
    wait_until(lambda: process.process_start_time(pid) is None, 10, "its end")
    assert log.read_text() == f"True y {tmp_path}\n"
    os.waitpid(pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="counted by Linux")
def test_kills_for_want_of_memory_are_counted() -> None:
    assert process.out_of_memory_kills() >= 0


def test_a_hole_keeps_size_and_offsets(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 5 * 4096)
    with file.open("r+b") as opened:
        if not process.punch_hole(opened.fileno(), 4096, 4 * 4096):
            pytest.skip("this file system has no holes")
    assert file.read_bytes() == b"x" * 4096 + b"\0" * 3 * 4096 + b"x" * 4096


def test_only_one_creates_a_file(tmp_path: Path) -> None:
    made: list[bool] = []
    path = tmp_path / "file"
    threads = [
        threading.Thread(target=lambda n=n: made.append(create_exclusively(path, b"%d" % n * 100)))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 7 + [True]
    assert len(set(path.read_bytes())) == 1
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("fsync", [False, True])
def test_a_file_is_replaced_whole_and_private(tmp_path: Path, fsync: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    durable_replace(path, b"new" * 100_000, fsync=fsync)
    assert path.read_bytes() == b"new" * 100_000
    assert [found.name for found in tmp_path.iterdir()] == ["file"]
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_failpoint_does_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    failpoint.hit("here")
    monkeypatch.setattr(failpoint, "_wanted", "there:kill,here:raise")
    failpoint.hit("elsewhere")
    with pytest.raises(failpoint.FailpointError, match="here"):
        failpoint.hit("here")
