"""Daily copies: of one moment, beside a writer that goes on, few, private, and never on a full disk."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from runyard_actors.store import StoreFull, StoreReader, StoreUnavailable, StoreWriter, backup, copying
from runyard_actors.store.backup import back_up_daily, daily_copies, is_due
from tests.unit.store.making import life, specs, submitted

DAY = 86_400.0


class Stop(threading.Event):
    """Is asked between the steps of a copy, and does something there."""

    def __init__(self, then: Callable[[], object]) -> None:
        super().__init__()
        self._then = then
        self.steps = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.steps += 1
        self._then()
        return self.is_set() or self.steps > 1_000


@pytest.fixture
def filled(writer: StoreWriter, monkeypatch: pytest.MonkeyPatch) -> StoreWriter:
    monkeypatch.setattr(copying, "STEP_PAGES", 8)
    runs = specs(300)
    writer.write([submitted(runs), *(change for run in runs for change in life(run))]).result()
    return writer


def test_a_copy_is_of_one_moment_while_commits_go_on(path: Path, filled: StoreWriter) -> None:
    # Given a writer that commits between any two steps of the copy
    stop = Stop(lambda: filled.write([submitted(specs(1))]).result(10))
    # When it is made
    copy = back_up_daily(path, stop)
    # Then it did not begin anew each time, and holds what there was at its start
    assert copy is not None
    assert stop.steps > 5
    with closing(StoreReader(copy)) as reader, closing(StoreReader(path)) as now:
        assert reader.runs()[1] == 300
        assert now.runs()[1] == 300 + stop.steps
    with closing(sqlite3.connect(copy)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_copy_put_back_goes_on_where_it_stood(path: Path, filled: StoreWriter) -> None:
    copy = back_up_daily(path, threading.Event())
    assert copy is not None
    filled.write([submitted(specs(7))]).result()
    filled.close()
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    copy.rename(path)
    with closing(StoreWriter(path)) as writer, closing(StoreReader(path)) as reader:
        writer.write([submitted(specs(2))]).result()
        assert reader.runs()[1] == 302


def test_the_newest_copies_are_kept_and_those_before_migrations(
    path: Path, filled: StoreWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_migration = path.parent / "backups" / "runyard-v1-20260101T000000Z.sqlite3"
    before_migration.parent.mkdir()
    before_migration.touch()
    for day in range(5):
        monkeypatch.setattr(copying.time, "strftime", lambda *_, d=day: f"2026010{d + 1}T000000Z")
        assert back_up_daily(path, threading.Event()) is not None
    names = sorted(file.name for file in before_migration.parent.iterdir())
    days = [f"runyard-daily-2026010{day}T000000Z.sqlite3" for day in (3, 4, 5)]
    assert names == [*days, before_migration.name]


def test_a_copy_is_due_once_a_day(path: Path, filled: StoreWriter) -> None:
    assert not is_due(path.with_name("nothing.sqlite3"))
    assert is_due(path)
    copy = back_up_daily(path, threading.Event())
    assert copy is not None
    assert not is_due(path)
    made = copy.stat().st_mtime
    for age, due in ((DAY / 2, False), (DAY + 60, True), (-DAY, True)):
        os.utime(copy, (made - age, made - age))
        assert is_due(path) is due


def test_a_copy_that_is_stopped_leaves_nothing(path: Path, filled: StoreWriter) -> None:
    stop = Stop(lambda: stop.set())
    assert back_up_daily(path, stop) is None
    assert list((path.parent / "backups").iterdir()) == []


def test_what_a_killed_server_left_of_a_copy_is_removed(path: Path, filled: StoreWriter) -> None:
    left_over = path.parent / "backups" / "runyard-daily-20260101T000000Z.sqlite3.partial"
    left_over.parent.mkdir()
    left_over.write_bytes(b"half")
    copy = back_up_daily(path, threading.Event())
    assert list(left_over.parent.iterdir()) == [copy]


def test_no_copy_is_made_where_it_would_fill_the_disk(
    path: Path, filled: StoreWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**30))
    with pytest.raises(StoreFull, match="1 GiB are to stay free"):
        back_up_daily(path, threading.Event())
    assert daily_copies(path) == []


def test_a_place_that_takes_no_copies_is_told(path: Path, filled: StoreWriter) -> None:
    (path.parent / "backups").write_text("no folder")
    with pytest.raises(StoreUnavailable, match="backups"):
        back_up_daily(path, threading.Event())


@pytest.mark.skipif(sys.platform == "win32", reason="its folders are private without file modes")
def test_everything_is_for_its_owner_only(tmp_path: Path) -> None:
    # Given a database that was put back readable for all, in a folder that is not there yet for another
    path = tmp_path / "data" / "runyard.sqlite3"
    old_mask = os.umask(0)
    try:
        StoreWriter(path).close()
        path.chmod(0o644)
        with closing(StoreWriter(path)) as writer:
            writer.write([submitted(specs(3))]).result()
            copy = back_up_daily(path, threading.Event())
            files = [*path.parent.glob("runyard*"), copy]
            modes = [file.stat().st_mode & 0o777 for file in files if file]
            folders = [folder.stat().st_mode & 0o777 for folder in (path.parent, path.parent / "backups")]
    finally:
        os.umask(old_mask)
    # Then all of it is private, with the log beside it
    assert modes == [0o600] * 4
    assert folders == [0o700] * 2
