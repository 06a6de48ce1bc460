"""`runyard migrate`: the history of the settings' database, or of any, in another one."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from runyard_actors.store import StoreReader
from runyard_cluster.data_dir import DataDir
from tests.unit.cli.playing import History, Runyard


def test_the_history_is_brought_into_another_file_and_read_there(
    runyard: Runyard, history: History, data_dir: DataDir, tmp_path: Path
) -> None:
    with closing(StoreReader(data_dir.database)) as reader:
        runs = reader.runs()
    done = runyard("migrate", "sqlite:///other.db")
    assert done.code == 0, done.err
    assert (
        "runs" in done.text and "read back and equal" in done.err and str(tmp_path / "other.db") in done.err
    )
    with closing(StoreReader(tmp_path / "other.db")) as reader:
        assert [run["run_id"] for run in reader.runs()[0]] == [run["run_id"] for run in runs[0]]
    again = runyard("--json", "migrate", "sqlite:///other.db", "--to", "sqlite:///third.db")
    assert json.loads(again.text)["rows"]["runs"] == runs[1]


def test_wrong_urls_and_targets_are_refused_in_one_line(
    runyard: Runyard, history: History, tmp_path: Path
) -> None:
    runyard("migrate", "sqlite:///other.db")
    for arguments, words in (
        ((), "give the database to fill"),
        (("a", "b", "c"), "give the database to fill"),
        (("mysql://h/d",), "the URL of a database must be sqlite:///"),
        (("sqlite:///other.db",), "is not empty"),
        (("sqlite:///nothing.db", "sqlite:///new.db"), "there is no database"),
        (("sqlite:///other.db", "sqlite:///other.db"), "both"),
    ):
        done = runyard("migrate", *arguments)
        assert done.code != 0 and words in done.err, (arguments, done)
    assert not (tmp_path / "new.db").exists()
