"""Databases of earlier versions, one file each in `databases`: they open, migrate, list right, and go on."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest

from runyard_actors.run import Status
from runyard_actors.store import RunFilter, StoreReader, StoreUnavailable, StoreWriter, load_state
from runyard_actors.store.migrate import known_scripts
from runyard_actors.store.records import SORTS
from tests.unit.store.making import life, specs, submitted

OLD = sorted((Path(__file__).parent / "databases").glob("version-*.db"))

#: What each of them holds.
COUNTS = {"queued": 4, "running": 1, "completed": 3, "failed": 3, "cancelled": 1}


@pytest.fixture(params=OLD, ids=lambda file: file.stem)
def old(request: pytest.FixtureRequest, path: Path) -> Path:
    shutil.copyfile(request.param, path)
    return path


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as raw:
        return int(raw.execute("PRAGMA user_version").fetchone()[0])


def check_lists(path: Path) -> None:
    """Look at every status, label and order."""
    with closing(StoreReader(path)) as reader:
        assert reader.counts() == COUNTS
        for status in Status:
            page, total = reader.runs(RunFilter(statuses=[status], sort="-started_at"))
            assert [run["status"] for run in page] == [status] * COUNTS[status]
            assert total == COUNTS[status]
        assert reader.runs(RunFilter(label="team=a"))[1] == 9
        assert reader.runs(RunFilter(label="kind=x=y", text="eval"))[1] == 3
        assert reader.runs(RunFilter(batch_id="sweep", module_id="train"))[1] == 9
        newest = [run["run_id"] for run in reader.runs()[0]]
        for column in SORTS:
            up = [run["run_id"] for run in reader.runs(RunFilter(sort=column))[0]]
            assert sorted(up) == sorted(newest)
            assert [run["run_id"] for run in reader.runs(RunFilter(sort=f"-{column}"))[0]] == up[::-1]
        (running,), _ = reader.runs(RunFilter(statuses=[Status.RUNNING]))
        assert (running["progress"], running["message"], running["num_gpus"]) == (0.25, "epoch 1", 0.25)
        assert reader.modules() == {"train": {"name": "Train", "max_concurrent": 2}}
        answer = reader.idempotent_answer("k")
        assert answer is not None
        assert len(answer.run_ids) == 3


def test_an_old_database_that_nobody_migrated_yet_is_refused_in_words(old: Path) -> None:
    with closing(StoreReader(old)) as reader, pytest.raises(StoreUnavailable, match="runyard up"):
        reader.runs()


def test_an_old_database_is_copied_migrated_and_lists_right(old: Path) -> None:
    before = version(old)
    StoreWriter(old).close()
    assert version(old) == len(known_scripts())
    check_lists(old)
    (copy,) = (old.parent / "backups").iterdir()
    assert version(copy) == before
    # Put back, it migrates again.
    StoreWriter(copy).close()
    check_lists(copy)


def test_an_old_database_goes_on(old: Path) -> None:
    with closing(StoreWriter(old)) as writer:
        state = load_state(old)
        assert (len(state.queued), len(state.active)) == (3, 2)
        fresh = specs(2, labels={"team": "a"})
        writer.write([submitted(fresh), *life(fresh[0])]).result()
    with closing(StoreReader(old)) as reader:
        assert reader.counts() == COUNTS | {"queued": 5, "completed": 4}
        assert reader.runs(RunFilter(label="team=a", sort="duration"))[1] == 11


def test_migrations_are_numbered_without_a_gap() -> None:
    names = sorted(entry.name for entry in files("runyard_actors.store").joinpath("migrations").iterdir())
    numbers = [int(name.partition("_")[0]) for name in names if name.endswith(".sql")]
    assert numbers == list(range(1, len(known_scripts()) + 1))


def test_there_is_a_database_of_the_first_version() -> None:
    assert "version-1" in [file.stem for file in OLD]
