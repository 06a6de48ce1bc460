"""A server that died is started again as it was, once, and not again and again; played by a small program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from runyard_cluster.gcs_keeper import GcsKeeper
from tests.support import processes_naming, wait_until

#: Says who it is, what it was given and where it is, in a file, and stays.
SERVER = """
import os, sys, time
with open(sys.argv[1], "w") as file: file.write(f"{os.getpid()} {os.environ['GIVEN']} {os.getcwd()}")
time.sleep(600)
"""


@contextmanager
def running(said: Path) -> Iterator[psutil.Process]:
    """Run the program; nothing of it is left afterwards."""
    command = [sys.executable, "-I", "-S", "-c", SERVER, str(said)]
    with subprocess.Popen(command, env={**os.environ, "GIVEN": "this"}, cwd=said.parent) as first:
        try:
            wait_until(lambda: heard(said), 30, "it is up")
            yield psutil.Process(first.pid)
        finally:
            for process in processes_naming(str(said)):
                process.kill()


def heard(said: Path) -> list[str]:
    return said.read_text().split(maxsplit=2) if said.exists() else []


def test_what_died_is_started_again_as_it_was_and_only_once(tmp_path: Path) -> None:
    said = tmp_path / "said"
    keeper = GcsKeeper(tmp_path / "tables")
    with running(said) as server:
        keeper.note(server)
        before = heard(said)
        server.kill()
        server.wait(30)
        said.unlink()
        assert keeper.revive(lambda: bool(heard(said)))
        pid, *rest = heard(said)
        assert (pid != before[0], rest) == (True, before[1:])
        again = psutil.Process(int(pid))
        again.kill()
        again.wait(30)
        assert not keeper.revive(lambda: True), "it has a reason to die"


def test_what_does_not_listen_or_was_never_seen_does_not_count(tmp_path: Path) -> None:
    keeper = GcsKeeper(tmp_path / "tables")
    assert not keeper.revive(lambda: True)
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE) as short:
        seen = psutil.Process(short.pid)
        wait_until(lambda: seen.cmdline(), 30, "it has become the program")
        keeper.note(seen)
        short.communicate(b"\n", timeout=30)
    # Started again, it finds nothing to read, and ends.
    assert not keeper.revive(lambda: False)


def test_a_new_head_finds_no_tables_of_the_last_one(tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "nodes").touch()
    given = GcsKeeper(tables).begin()
    assert given == {"RAY_gcs_storage": "rocksdb", "RAY_gcs_storage_path": str(tables)}
    assert not tables.exists()


def test_a_process_that_is_gone_is_no_error(tmp_path: Path) -> None:
    keeper = GcsKeeper(tmp_path / "tables")
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "pass"]) as gone:
        seen = psutil.Process(gone.pid)
    keeper.note(seen)
    assert not keeper.revive(lambda: True)
