"""A killed process, a locked, full, damaged or newer database."""

from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pytest

from runyard_actors.store import StoreError, StoreFull, StoreReader, StoreUnavailable, StoreWriter, connection
from runyard_actors.store.migrate import known_scripts, migrate
from runyard_cluster.errors import RunyardError
from tests.unit.store.making import life, specs, submitted
from tests.unit.store.mortal_writer import acknowledged_before_a_kill


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_every_write_acknowledged_before_a_kill_is_there_and_no_call_is_half_there(path: Path) -> None:
    # Given a process that writes as fast as it can and says which calls were acknowledged
    # When it is killed in the middle
    calls = acknowledged_before_a_kill(str(path), at_least=150)
    # Then all it told of is there, and the others are there in threes or not at all
    with closing(StoreReader(path)) as reader:
        statuses = [list(reader.statuses(ids).values()) for ids in calls]
        total = reader.runs()[1]
    assert statuses == [["completed", "queued", "queued"]] * len(calls)
    assert total % 3 == 0
    StoreWriter(path).close()


def test_a_database_locked_for_long_refuses_and_then_serves_again(
    path: Path, writer: StoreWriter, reader: StoreReader
) -> None:
    writer.write([submitted(specs(1))]).result()
    writer._connection.execute("PRAGMA busy_timeout = 200")  # type: ignore[union-attr] # shorter than 5 s
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match="locked"):
            writer.write([submitted(specs(1))]).result()
        assert reader.runs()[1] == 1
        other.execute("ROLLBACK")
    writer.write([submitted(specs(1))]).result()
    assert reader.runs()[1] == 2


def test_who_waited_behind_a_lock_has_less_patience_left(path: Path, writer: StoreWriter) -> None:
    writer._connection.execute("PRAGMA busy_timeout = 400")  # type: ignore[union-attr] # shorter than 5 s
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert isinstance(writer.write([]).exception(), StoreUnavailable)
        start = time.monotonic()
        asked = writer.write([])
        other.execute("ROLLBACK")
        asked.result()
    assert time.monotonic() - start < connection.BUSY_SECONDS


@pytest.mark.skipif(sys.platform == "win32", reason="limits file sizes by rlimit")
def test_a_full_disk_refuses_whole_calls_and_service_resumes_with_space(path: Path) -> None:
    # A limit on file sizes in a process of its own stands for the disk: SQLite sees the same failing writes.
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FILL_A_SMALL_DISK), str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["refused", "resumed"], done.stderr


FILL_A_SMALL_DISK = """
    import resource, signal, sys
    from pathlib import Path
    from runyard_actors.store import StoreReader, StoreUnavailable, StoreWriter
    from tests.unit.store.making import specs, submitted

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path = Path(sys.argv[1])
    writer, accepted = StoreWriter(path), 0
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    try:
        for _ in range(100):
            writer.write([submitted(specs(50))]).result()
            accepted += 50
    except StoreUnavailable:
        print("refused")
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    writer.write([submitted(specs(50))]).result()
    writer.close()
    if StoreReader(path).runs()[1] == accepted + 50:
        print("resumed")
"""


@pytest.mark.parametrize("error", [StoreError, StoreFull, StoreUnavailable])
def test_errors_say_what_happened_and_pickle(error: type[RunyardError]) -> None:
    again = pickle.loads(pickle.dumps(error()))
    assert type(again) is error
    assert str(again) == error.__doc__


def test_a_full_disk_is_told_as_such() -> None:
    error = connection.unavailable(sqlite3.OperationalError("database or disk is full"), Path("x"))
    assert isinstance(error, StoreFull)


def test_a_database_of_a_newer_version_is_refused_in_words(path: Path) -> None:
    StoreWriter(path).close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer runyard"):
        StoreWriter(path)
    with pytest.raises(StoreError, match="newer runyard"):
        StoreReader(path).runs()


def test_an_older_database_is_backed_up_before_it_is_migrated(path: Path) -> None:
    writer = StoreWriter(path)
    writer.write([submitted(specs(2))]).result()
    writer.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        migrate(raw, path, [*known_scripts(), "ALTER TABLE runs ADD COLUMN colour TEXT;"])
        raw.execute("SELECT colour FROM runs")
    (copy,) = (path.parent / "backups").iterdir()
    with closing(StoreReader(copy)) as reader:
        assert reader.runs()[1] == 2


def test_a_migration_that_fails_leaves_the_database_as_it_was(path: Path) -> None:
    StoreWriter(path).close()
    scripts = [*known_scripts(), "CREATE TABLE fresh (a); INSERT INTO missing VALUES (1);"]
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        with pytest.raises(sqlite3.OperationalError):
            migrate(raw, path, scripts)
        assert raw.execute("PRAGMA user_version").fetchone() == (len(known_scripts()),)
        assert raw.execute("SELECT * FROM sqlite_master WHERE name = 'fresh'").fetchall() == []


def test_a_damaged_database_is_refused_and_says_what_to_do(path: Path) -> None:
    writer = StoreWriter(path)
    writer.write([submitted(specs(500))]).result()
    writer.close()
    with path.open("r+b") as file:
        file.seek(20 * 4096)
        file.write(b"\xff" * 3 * 4096)
    with pytest.raises(StoreError, match=r"damaged.*backup"):
        StoreWriter(path)
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(StoreError, match="damaged"):
        StoreWriter(path)
    with pytest.raises(StoreUnavailable):
        StoreReader(path).runs()


def test_a_place_where_nothing_can_be_created_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        StoreWriter(tmp_path / "file" / "runyard.sqlite3")


def test_a_reader_needs_no_writer_and_leaves_no_trace(path: Path) -> None:
    reader = StoreReader(path)
    assert reader.runs() == ([], 0)
    assert not path.exists()
    writer = StoreWriter(path)
    (run,) = specs(1)
    writer.write([submitted([run]), *life(run)]).result()
    writer.close()
    assert [f.name for f in path.parent.iterdir()] == [path.name]
    assert reader.run(run.run_id) is not None
    reader.close()


READ_WITHOUT_RIGHTS = """
    import os, sys
    from pathlib import Path
    from runyard_actors.store import StoreReader
    from runyard_actors.store.migrate import known_scripts
    from runyard_actors.store.queries import sql

    known_scripts(), sql("epoch")  # read while the interpreter's own files can be
    if os.geteuid() == 0:
        os.setuid(65534)
    print(StoreReader(Path(sys.argv[1])).runs()[1], os.access(Path(sys.argv[1]).parent, os.W_OK))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="takes rights away by file modes")
def test_a_reader_works_where_nothing_can_be_written() -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "runyard.sqlite3"
        writer = StoreWriter(path)
        writer.write([submitted(specs(3))]).result()
        writer.close()
        path.chmod(0o444)
        path.parent.chmod(0o555)
        command = [sys.executable, "-c", textwrap.dedent(READ_WITHOUT_RIGHTS), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        path.parent.chmod(0o700)
    assert done.stdout.split() == ["3", "False"], done.stderr


def test_a_reader_follows_a_database_that_was_replaced(path: Path) -> None:
    with closing(StoreReader(path)) as reader:
        for count in (1, 2):
            for file in path.parent.glob(f"{path.name}*"):
                file.unlink()
            writer = StoreWriter(path)
            writer.write([submitted(specs(count))]).result()
            writer.close()
            assert reader.runs()[1] == count
