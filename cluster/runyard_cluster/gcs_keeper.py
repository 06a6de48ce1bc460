"""The GCS of our own head, started again in its place when it died alone, where its tables lie on disk.

With its tables in memory the whole of Ray has to start anew. With them on disk, raylet, workers and actors wait for it,
up to a minute, and go on as they were.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

log = logging.getLogger("runyard.ray")

#: One that was started again listens within this, or Ray is started anew.
LISTEN_SECONDS = 20.0
LOOK_SECONDS = 0.05
#: One that dies again sooner than this has a reason that starting it again does not mend.
STEADY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _HowStarted:
    """All that it takes to start the same process again."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str


class GcsKeeper:
    """Knows how the GCS was started; `folder` holds its tables."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._how: _HowStarted | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._revived_at: float | None = None

    def begin(self) -> dict[str, str]:
        """Return the variables that have a new head keep its tables on disk; those of the last one are removed.

        They would tell of nodes and actors that are gone.
        """
        shutil.rmtree(self._folder, ignore_errors=True)
        self._how = self._revived_at = None
        return {"RAY_gcs_storage": "rocksdb", "RAY_gcs_storage_path": str(self._folder)}

    def note(self, gcs: psutil.Process) -> None:
        """Learn how the GCS was started, while it runs."""
        try:
            how = _HowStarted(gcs.cmdline(), gcs.environ(), gcs.cwd())
        except psutil.Error as error:
            log.warning("the GCS cannot be started again should it die alone: %s", error)
            return
        # A process that is dead, or is just becoming a program, shows none.
        self._how = how if how.arguments else None

    def revive(self, listens: Callable[[], bool]) -> bool:
        """Start it again; return whether it listens now."""
        if self._process is not None:
            self._process.poll()  # What is dead is our child, and nobody else asks for its end.
        last, now = self._revived_at, time.monotonic()
        if self._how is None or (last is not None and now - last < STEADY_SECONDS):
            return False
        self._revived_at = now
        log.warning("the GCS is gone; it is started again with its tables")
        try:
            self._process = subprocess.Popen(
                self._how.arguments,
                env=self._how.environment,
                cwd=self._how.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            log.error("the GCS cannot be started: %s", error)
            return False
        while self._process.poll() is None and time.monotonic() - now < LISTEN_SECONDS:
            if listens():
                return True
            time.sleep(LOOK_SECONDS)
        return False
