"""One embedded server, with a real Ray, for all integration tests that do no harm to it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runyard.client import Client
from runyard.session import Session
from runyard.yard import find, find_or_start, start_server
from runyard_cluster.data_dir import DataDir
from runyard_cluster.process import is_locked
from tests.support import processes_naming, wait_until

#: Starting Ray takes seconds, and tens of them on a machine that is busy.
START_SECONDS = 120.0


class TestSession(Session):
    """A session that also knows what lies behind it."""

    __test__ = False

    def __init__(self, client: Client, data_dir: DataDir) -> None:
        super().__init__(client)
        self.data_dir = data_dir

    def server(self) -> dict[str, Any]:
        """Return what the server tells of itself."""
        return json.loads(self.data_dir.server_file.read_bytes())


@contextmanager
def embedded(settings: str = "", *, up: bool = False) -> Iterator[TestSession]:
    """Serve a fresh data folder for the length of the block; nothing of it is left afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="ry-", dir="/tmp" if os.name == "posix" else None))
    config = folder / "runyard.toml"
    config.write_text(f'data_dir = "{(folder / "data").as_posix()}"\n{settings}')
    data_dir = DataDir(folder / "data")
    if up:
        start_server(data_dir, config, ["--up", "127.0.0.1", "0"])
    session = TestSession(find_or_start(config, None), data_dir)
    try:
        yield session
    finally:
        session.close()
        stop(config, data_dir)
        wait_until(lambda: not processes_naming(str(folder)), 30, "nothing of the server is left")
        shutil.rmtree(folder, ignore_errors=True)


def stop(config: Path, data_dir: DataDir) -> None:
    """Have the server leave, and wait until it and its Ray are gone."""
    client = find(config, None)
    if client is not None:
        client.leave()
        client.close()
    wait_until(lambda: not is_locked(data_dir.server_lock), 60, "the server left")
    wait_until(lambda: not processes_naming(str(data_dir.ray_temp)), 60, "Ray ended")


@pytest.fixture(scope="session")
def session() -> Iterator[Session]:
    """A session with a server that allows ten runs at once."""
    with embedded('max_concurrent_runs = 10\ncpu_busy_percent = 0\ngrace = "2s"\n') as found:
        yield found


@pytest.fixture
def own_session() -> Iterator[Callable[[str], Session]]:
    """A way to get servers of a test's own, with settings of its own; one at a time."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda settings="": stack.enter_context(embedded(settings))
