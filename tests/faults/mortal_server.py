"""A server without Ray that may die at any moment, and is there again at once: what a supervisor of services does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runyard.client import Client
from runyard_cluster.data_dir import DataDir
from runyard_cluster.failpoint import VARIABLE
from runyard_cluster.server_record import Endpoint
from tests.support import wait_until

ROOT = Path(__file__).parents[2]
LEAVE_SECONDS = 60
#: The module that serves, and what it is told before the folder.
PROGRAM = ("tests.server_process",)


class MortalServer:
    """Serves a data folder from one process after another, all with the same failpoints."""

    def __init__(
        self,
        folder: Path,
        fail: str = "",
        prefix: tuple[str, ...] = (),
        program: tuple[str, ...] = PROGRAM,
        **settings: Any,
    ) -> None:
        self.data_dir = DataDir(folder / "data")
        self.deaths = 0
        self._command = [
            *prefix,
            sys.executable,
            "-m",
            *program,
            str(folder),
            json.dumps(settings),
        ]
        self._environ = {**os.environ, **({VARIABLE: fail} if fail else {})}
        self._process: subprocess.Popen[str]
        self._is_leaving = False
        self._url = ""
        self._thread = threading.Thread(target=self._keep, name="keeps a server")
        self._thread.start()

    @property
    def pid(self) -> int:
        """The process that serves now."""
        return self._process.pid

    def url(self) -> str:
        """Return where the newest process serves, once there is one."""
        return wait_until(lambda: self._url, 60, "a server")

    def kill(self) -> None:
        """End the process in the middle of whatever it does; the next one comes by itself."""
        deaths = self.deaths
        self._process.kill()
        wait_until(lambda: self.deaths > deaths, 20, "the server died")

    def leave(self) -> None:
        """End all runs and the process, for good."""
        try:
            wait_until(lambda: self._url, 60, "a server to end")
        except AssertionError:
            # One that never serves is not tried for ever.
            self._is_leaving = True
            self._process.kill()
            self._thread.join(LEAVE_SECONDS)
            raise
        self._is_leaving = True
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._thread.join(LEAVE_SECONDS)
        assert not self._thread.is_alive(), "the server does not leave"

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Lend a client that goes on with each next process."""
        with Client(locate=lambda: Endpoint(self.url(), self.data_dir.token())) as client:
            yield client

    def _keep(self) -> None:
        while not self._is_leaving:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environ, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            with self._process:
                assert self._process.stdout is not None
                self._url = self._process.stdout.readline().strip()
                self._process.wait()
            self._url = ""
            self.deaths += 1


@contextmanager
def mortal_server(
    folder: Path,
    fail: str = "",
    prefix: tuple[str, ...] = (),
    program: tuple[str, ...] = PROGRAM,
    **settings: Any,
) -> Iterator[MortalServer]:
    """Serve a folder for the length of the block, whatever dies; `fail` as in RUNYARD_FAIL."""
    server = MortalServer(folder, fail, prefix, program, **settings)
    try:
        yield server
    finally:
        server.leave()
