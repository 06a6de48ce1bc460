"""Reading a run's log: byte ranges, its last lines, and what is kept of one that grew too large.

Standard library only, and little of it: the process that searches for patterns uses this too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

#: Bytes read at once.
BLOCK = 256 * 1024

#: Where a log above its limit lost its bytes: they read as zeros from the first offset to the second.
Gap = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Which log: its file, its gap if it has one, and whether it has ended and so grows no more."""

    path: Path
    gap: Gap | None = None
    has_ended: bool = False


def size(path: Path) -> int:
    """Return the log's size in bytes; 0 when there is none yet, or something that is no file has taken its place."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0
    return found.st_size if S_ISREG(found.st_mode) else 0


def read(path: Path, offset: int, limit: int | None = None, block: int = BLOCK) -> Iterator[bytes]:
    """Yield the bytes from `offset` to the present end, at most `limit` of them, in blocks."""
    left = size(path) - offset
    left = left if limit is None else min(left, limit)
    if left <= 0:
        return  # Not only to save work: file systems refuse to look at offsets that they could never have.
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        return
    with file:
        file.seek(offset)
        while left > 0 and (data := file.read(min(block, left))):
            left -= len(data)
            yield data


def kept(
    path: Path, start: int, end: int, gap: Gap | None = None, block: int = BLOCK
) -> Iterator[tuple[int, bytes]]:
    """Yield what is kept from `start` to `end`, each block with its offset. A gap may be larger than any disk."""
    for low, high in spans(start, end, gap):
        for data in read(path, low, high - low, block):
            yield low, data
            low += len(data)


def shown(path: Path, start: int, end: int, gap: Gap | None = None) -> Iterator[bytes]:
    """Yield the log for a person: a line of words stands where its bytes were dropped."""
    expected = start
    for offset, data in kept(path, start, end, gap):
        if offset != expected:
            yield dropped(offset - expected)
        yield data
        expected = offset + len(data)


def dropped(count: int) -> bytes:
    """Return the line that stands in the place of so many dropped bytes."""
    return b"\n[runyard: %d bytes are left out here: the log passed its limit]\n" % count


def spans(start: int, end: int, gap: Gap | None) -> list[tuple[int, int]]:
    """Return the one or two parts of `start` to `end` that are kept."""
    parts = [(start, end)] if gap is None else [(start, min(end, gap[0])), (max(start, gap[1]), end)]
    return [(low, high) for low, high in parts if low < high]


def tail_offset(path: Path, lines: int, gap: Gap | None = None, end: int | None = None) -> int:
    """Return the offset at which the last `lines` lines before `end`, or the log's own end, begin.

    A last line without an end counts as one.
    """
    end = size(path) if end is None else end
    if lines <= 0:
        return end
    wanted = lines
    for start, block in _backwards(path, end, gap):
        if start + len(block) == end and block.endswith(b"\n"):
            wanted += 1
        found = block.count(b"\n")
        if found >= wanted:
            cut = len(block)
            for _ in range(wanted):
                cut = block.rindex(b"\n", 0, cut)
            return start + cut + 1
        wanted -= found
    return 0


def _backwards(path: Path, end: int, gap: Gap | None) -> Iterator[tuple[int, bytes]]:
    if not size(path):
        return  # To open what is no file could take for ever.
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        return
    with file:
        for low, high in reversed(spans(0, end, gap)):
            while high > low:
                start = max(low, high - BLOCK)
                file.seek(start)
                yield start, file.read(high - start)
                high = start
