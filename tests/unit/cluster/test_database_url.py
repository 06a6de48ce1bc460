"""What a `database_url` names, and that no password is shown of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard_cluster.data_dir import DataDir
from runyard_cluster.database_url import PostgresUrl, absolute_url, database_place
from runyard_cluster.errors import SettingsError
from runyard_cluster.locate import locate


def test_a_database_url_names_a_file(tmp_path: Path) -> None:
    assert database_place("sqlite:///a/../b.db", tmp_path) == tmp_path / "b.db"
    assert database_place(f"sqlite:///{tmp_path}/c.db", Path("/elsewhere")) == tmp_path / "c.db"
    assert database_place(absolute_url("sqlite:///b.db", tmp_path), Path("/elsewhere")) == tmp_path / "b.db"


def test_a_database_url_names_a_database_of_postgresql(tmp_path: Path) -> None:
    url = "postgresql+psycopg://ann:s3cret@db.example:5433/runs?sslmode=require&password=s3cret"
    found = database_place(url, tmp_path)
    assert isinstance(found, PostgresUrl)
    assert found.conninfo == url.replace("+psycopg", "")
    assert str(found) == "postgresql+psycopg://ann@db.example:5433/runs"
    assert "s3cret" not in repr(found)
    assert absolute_url(url, tmp_path) == url


def test_the_database_of_postgresql_is_found_by_command_line_and_server_alike(tmp_path: Path) -> None:
    url = "postgresql+psycopg:///runs?host=/run/postgresql"
    found = locate(environ={"RUNYARD_DATABASE_URL": url, "RUNYARD_DATA_DIR": str(tmp_path)}, cwd=tmp_path)
    assert found.database == PostgresUrl(url)
    found.create()
    assert DataDir(tmp_path).database == tmp_path / "runyard.db"


@pytest.mark.parametrize(
    "url",
    [
        *("", "b.db", "sqlite://b.db", "sqlite:///", "sqlite:///:memory:", "sqlite:///a?mode=ro"),
        *("sqlite:///a\0", "mysql://host", "postgresql://u:p4ss@host/db", "postgresql+psycopg://u:p4ss@host"),
        *("postgresql+psycopg://u:p4ss@host/", "postgresql+psycopg://u:p4ss@host:none/db"),
    ],
)
def test_any_other_database_url_is_refused_saying_what_is_allowed(url: str, tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match="must be sqlite:/// and the path of a file, or postgres"
    ) as refusal:
        database_place(url, tmp_path)
    assert "p4ss" not in str(refusal.value)
    assert absolute_url(url, tmp_path) == url
