"""A database in a folder of its own, its writer and its reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard_actors.store import StoreReader, StoreWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runyard.sqlite3"


@pytest.fixture
def writer(path: Path) -> Iterator[StoreWriter]:
    writer = StoreWriter(path)
    yield writer
    writer.close()


@pytest.fixture
def reader(path: Path) -> Iterator[StoreReader]:
    reader = StoreReader(path)
    yield reader
    reader.close()
