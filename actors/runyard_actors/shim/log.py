"""Looking after a log that the module itself writes: when it grew, and that it does not fill the disk."""

from __future__ import annotations

import os
import time

from runyard_actors import attempt_file
from runyard_actors.shim import record
from runyard_cluster import process

#: Holes are made of whole blocks of the file system.
BLOCK = 4096
#: A log may pass its limit by this share before its middle is dropped, so that this is done seldom.
SLACK = 16
#: Seconds between two looks at a log that grows fast, however fast.
SHORTEST = 0.05

_BINARY = getattr(os, "O_BINARY", 0)


class LogKeeper:
    """Keeps the log's time index, and of a log above its limit the first and the last half."""

    def __init__(self, max_bytes: int, monotonic_start: float) -> None:
        self.size = 0
        self.dropped = 0
        #: Whether the log is above its limit and this file system cannot drop the middle of a file.
        self.is_overfull = False
        self._max_bytes = max_bytes
        self._growth = 0.0
        self._looked_at = monotonic_start

    def look(self) -> None:
        """Note how far the log has grown by now. A full disk costs time stamps, never the run."""
        try:
            size = os.stat(attempt_file.LOG).st_size
            self._note_growth(size - self.size)
            if size != self.size:
                self.size = size
                _append(attempt_file.TIME_INDEX, b"%d %d\n" % (size, time.time_ns() // 1000))
            if self._max_bytes and size - self.dropped > self._max_bytes + self._max_bytes // SLACK:
                self._drop_middle()
        except OSError:
            return

    def next_look(self) -> float:
        """Return in how many seconds to look again, before as much is added as may be kept altogether."""
        if not self._max_bytes or self._growth <= 0:
            return float("inf")
        return max(SHORTEST, self._max_bytes / self._growth)

    def _note_growth(self, added: int) -> None:
        now = time.monotonic()
        if now > self._looked_at:
            self._growth = added / (now - self._looked_at)
        self._looked_at = now

    def _drop_middle(self) -> None:
        start = _down(self._max_bytes // 2)
        end = _down(self.size - self._max_bytes // 2)
        descriptor = os.open(attempt_file.LOG, os.O_RDWR)
        try:
            # Readers hear of the gap first, or they would take its zeros for what the module printed.
            record.write_gap(start, end)
            self.is_overfull = not process.punch_hole(descriptor, start + self.dropped, end)
        finally:
            os.close(descriptor)
        if self.is_overfull:
            os.unlink(attempt_file.LOG_GAP)
        else:
            self.dropped = end - start


def _down(offset: int) -> int:
    return offset // BLOCK * BLOCK


def _append(name: str, data: bytes) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _BINARY, 0o600)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
