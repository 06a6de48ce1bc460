"""When each line of a log came, and which one was the newest at a moment: the log's time index."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runyard_actors import log_file
from runyard_actors.log_file import Gap
from runyard_cluster.files import read_regular

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Microseconds up to the year 9999; an index that says more is damaged.
_LATEST = 253_402_300_799_000_000
#: What is read of an index at most; an entry has about 25 bytes, and there is one for each second that brought lines.
MOST_BYTES = 64 << 20


def stamped(
    log: Path, index: Path, start: int = 0, limit: int | None = None, gap: Gap | None = None
) -> Iterator[bytes]:
    """Yield the log from `start` on, with the time in RFC 3339 UTC before each line that begins there.

    A line's time is when it was first seen in the log. `limit` counts bytes of the log, without the times.
    """
    stamps = _Stamps(log, index)
    end = log_file.size(log) if limit is None else start + limit
    expected = start
    at_line_start = start == 0 or b"".join(log_file.read(log, start - 1, 1)) == b"\n"
    for position, block in log_file.kept(log, start, end, gap):
        pieces = []
        if position != expected:
            pieces.append(log_file.dropped(position - expected))
            at_line_start = False
        here = 0
        while here < len(block):
            line_end = block.find(b"\n", here) + 1 or len(block)
            if at_line_start:
                pieces.append(stamps.before(position + here))
            pieces.append(block[here:line_end])
            at_line_start = block[line_end - 1] == 0x0A
            here = line_end
        expected = position + len(block)
        yield b"".join(pieces)


def times(log: Path, index: Path, offsets: Iterable[int]) -> list[str]:
    """Return when the lines that begin at `offsets` were first seen in the log, in RFC 3339 UTC."""
    stamps = _Stamps(log, index)
    return [stamps.before(offset).decode().rstrip() for offset in offsets]


def grown(log: Path, index: Path, at: int) -> int:
    """Return how many bytes of the log had been seen at a moment, in microseconds since the epoch."""
    size = log_file.size(log)
    if at >= _changed(log):
        return size
    return min(size, max((offset for offset, seen in _entries(index) if seen <= at), default=0))


class _Stamps:
    """The index in memory: up to which offset the log had grown, and when."""

    def __init__(self, log: Path, index: Path) -> None:
        entries = sorted(_entries(index))
        self._offsets = [offset for offset, _ in entries]
        self._times = [*(at for _, at in entries), _changed(log)]
        self._entry = -1
        self._stamp = b""

    def before(self, offset: int) -> bytes:
        """Return the stamp of the line that begins at `offset`; what the index lacks is as new as the log."""
        entry = bisect_right(self._offsets, offset)
        if entry != self._entry:
            self._entry, self._stamp = entry, _text(self._times[entry])
        return self._stamp


def _entries(index: Path) -> Iterator[tuple[int, int]]:
    for line in (read_regular(index, MOST_BYTES) or b"").split(b"\n"):
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
