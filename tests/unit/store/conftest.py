"""A database of its own for each test, its writer and its reader: in SQLite, and the same in PostgreSQL.

A test that asks for `path` is about SQLite's file, and runs with that alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard_actors.store import StoreReader, StoreWriter
from runyard_cluster.database_url import Where

KINDS = ("sqlite", "postgres")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        kinds = KINDS[:1] if "path" in metafunc.fixturenames else KINDS
        metafunc.parametrize("kind", kinds, scope="module")


@pytest.fixture
def where(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Where:
    if kind == "sqlite":
        return tmp_path / "runyard.sqlite3"
    fresh: Where = request.getfixturevalue("postgres").fresh()
    return fresh


@pytest.fixture
def path(where: Path) -> Path:
    return where


@pytest.fixture
def writer(where: Where) -> Iterator[StoreWriter]:
    writer = StoreWriter(where)
    yield writer
    writer.close()


@pytest.fixture
def reader(where: Where) -> Iterator[StoreReader]:
    reader = StoreReader(where)
    yield reader
    reader.close()
