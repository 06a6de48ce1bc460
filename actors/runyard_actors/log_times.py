"""When each line of a log came: the log's time index, put before the lines."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runyard_actors import log_file

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Microseconds up to the year 9999; an index that says more is damaged.
_LATEST = 253_402_300_799_000_000


def stamped(log: Path, index: Path, start: int = 0, limit: int | None = None) -> Iterator[bytes]:
    """Yield the log from `start` on, with the time in RFC 3339 UTC before each line that begins there.

    A line's time is when it was first seen in the log. `limit` counts bytes of the log, without the times.
    """
    stamps = _Stamps(log, index)
    position = start
    at_line_start = start == 0 or b"".join(log_file.read(log, start - 1, 1)) == b"\n"
    for block in log_file.read(log, start, limit):
        pieces = []
        here = 0
        while here < len(block):
            end = block.find(b"\n", here) + 1 or len(block)
            if at_line_start:
                pieces.append(stamps.before(position + here))
            pieces.append(block[here:end])
            at_line_start = block[end - 1] == 0x0A
            here = end
        position += len(block)
        yield b"".join(pieces)


class _Stamps:
    """The index in memory: up to which offset the log had grown, and when."""

    def __init__(self, log: Path, index: Path) -> None:
        entries = sorted(_entries(index))
        self._offsets = [offset for offset, _ in entries]
        self._times = [_text(at) for _, at in entries]
        self._latest = _text(_changed(log))

    def before(self, offset: int) -> bytes:
        """Return the stamp of the line that begins at `offset`; what the index lacks is as new as the log."""
        entry = bisect_right(self._offsets, offset)
        return self._times[entry] if entry < len(self._times) else self._latest


def _entries(index: Path) -> Iterator[tuple[int, int]]:
    try:
        lines = index.read_bytes().split(b"\n")
    except OSError:
        return
    for line in lines:
        parts = line.split()
        if len(parts) == 2 and all(part.isdigit() and len(part) < 19 for part in parts):
            yield int(parts[0]), min(int(parts[1]), _LATEST)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns // 1_000
    except OSError:
        return 0


def _text(at: int) -> bytes:
    moment = _EPOCH + timedelta(microseconds=at)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z ").encode()
