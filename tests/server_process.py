"""The server of `in_process` in a process of its own, so that it can be killed; the next one takes over its folder.

Run as a program it serves, says where in one line, and leaves with all its runs when its input is closed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from runyard.client import Client
from runyard.server.listen import Listen
from runyard_actors.store.reader import StoreReader
from runyard_cluster.data_dir import DataDir
from runyard_cluster.server_record import Endpoint
from tests.in_process import in_process

ROOT = Path(__file__).parents[1]
LEAVE_SECONDS = 60


class ServerProcess:
    """Serves a folder, from one process after another. `url` is that of the newest."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self._command = [sys.executable, "-m", "tests.server_process", str(folder), json.dumps(settings)]
        self._process: subprocess.Popen[str] | None = None
        self._client: Client | None = None
        self.url = ""
        self.data_dir = DataDir(folder / "data")
        self.reader = StoreReader(self.data_dir.database)

    @property
    def token(self) -> str:
        """What callers show."""
        return self.data_dir.token()

    @property
    def pid(self) -> int | None:
        """The process that serves, if it was started."""
        return self._process.pid if self._process else None

    @property
    def is_alive(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start a process, after one that died, and return once it serves."""
        if self._process is not None:
            self.wait_for_death()
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url, "the server did not start"

    def kill(self) -> None:
        """End the process, server and manager in one, in the middle of whatever it does."""
        assert self._process is not None
        self._process.kill()

    def wait_for_death(self) -> None:
        """Return once the process is gone; one that was not killed leaves, since its input is closed."""
        assert self._process is not None
        self._process.communicate(timeout=LEAVE_SECONDS)

    def leave(self) -> None:
        """End all runs, and the process."""
        self.wait_for_death()
        self.reader.close()
        if self._client is not None:
            self._client.close()

    def http(self) -> httpx.Client:
        """Return an HTTP client of the newest process, which shows the token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=30)

    def client(self) -> Client:
        """Return the Python client, which finds each next process by itself; it is closed with the server."""
        self._client = self._client or Client(locate=lambda: Endpoint(self.url, self.token))
        return self._client


@contextmanager
def server_process(folder: Path, **settings: Any) -> Iterator[ServerProcess]:
    """Serve a folder for the length of the block; settings as in runyard.toml, and `test_port` to listen on."""
    server = ServerProcess(folder, **settings)
    server.start()
    try:
        yield server
    finally:
        server.leave()


def main() -> None:
    """Serve until the input is closed."""
    folder, settings = sys.argv[1:]
    given = json.loads(settings)
    listen = Listen(port=given.pop("test_port", 0))
    with in_process(Path(folder), listen=listen, **given) as server:
        print(server.url, flush=True)
        os.read(sys.stdin.fileno(), 1)


if __name__ == "__main__":
    main()
