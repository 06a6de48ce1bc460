"""Attempts under a real shim, without Ray: started, waited for, and nothing of them left behind."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from runyard_actors.attempt_file import COOKIE
from runyard_actors.run_folder import RunFolder
from runyard_actors.shim.launch import LaunchReport, launch
from runyard_actors.shim.spec import ShimSpec
from runyard_cluster import process
from tests.support import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals, sessions and /proc")


class Attempt:
    """One attempt of a test's own."""

    def __init__(self, folder: RunFolder, nonce: str) -> None:
        self.folder = folder
        self.nonce = nonce
        self.report = LaunchReport()

    def write_spec(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, **fields: Any
    ) -> None:
        """Leave what is to be run, with everything else as a run would have it."""
        spec = {"cwd": str(self.folder.path), "grace_seconds": 1.0, **fields}
        full = {**os.environ, **(env or {}), COOKIE: self.nonce}
        self.folder.write_spec(
            ShimSpec(run_id="run", attempt=1, nonce=self.nonce, command=command, env=full, **spec).to_json()
        )

    def launch(self) -> LaunchReport:
        """Start a shim for this attempt."""
        self.report = launch(self.folder)
        return self.report

    def end(self, limit: float = 30) -> dict[str, Any]:
        """Wait for the shim's end; return the attempt's record."""
        wait_until(lambda: not self.folder.is_alive(), limit, "the end of the shim")
        record = self.folder.exit()
        assert record is not None, self.trouble()
        return record

    def log(self) -> bytes:
        """Return what the module printed so far."""
        return self.folder.log_file.read_bytes() if self.folder.log_file.exists() else b""

    def wait_log(self, text: bytes, limit: float = 20) -> None:
        """Wait until the module has printed `text`."""
        wait_until(lambda: text in self.log(), limit, f"{text!r} in the log")

    def processes(self) -> list[int]:
        """Return the living processes of this attempt, by their cookie."""
        return process.find_by_cookie(COOKIE, self.nonce)

    def trouble(self) -> str:
        """Return why the shim failed, if it did."""
        file = self.folder.path / "shim.err"
        return file.read_text() if file.exists() else "no record, and no trouble noted"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Attempt]]:
    """A way to make attempts; at the end no process of any of them may be left."""
    made: list[Attempt] = []

    def new(command: Sequence[str] = (), **fields: Any) -> Attempt:
        attempt = Attempt(RunFolder.of(tmp_path, f"run{len(made)}", 1), secrets.token_hex(8))
        made.append(attempt)
        attempt.folder.create()
        if command:
            attempt.write_spec(command, **fields)
        return attempt

    yield new
    left = [pid for attempt in made if not attempt.folder.is_alive() for pid in attempt.processes()]
    for attempt in made:
        started = attempt.folder.started() or {}
        if "shim_pid" in started:
            process.stop_process(started["shim_pid"], started["shim_start"], kill=True)
        process.sweep(COOKIE, attempt.nonce, limit_seconds=10)
    assert not left, f"processes outlived their run: {left}"


@pytest.fixture
def start(make: Callable[..., Attempt]) -> Callable[..., Attempt]:
    """A way to start attempts."""

    def started(command: Sequence[str], **fields: Any) -> Attempt:
        attempt = make(command, **fields)
        attempt.launch()
        return attempt

    return started
