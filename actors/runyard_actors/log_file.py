"""Reading a run's log: byte ranges, its last lines, and what is new since an offset."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

#: Bytes read at once.
BLOCK = 64 * 1024


def size(path: Path) -> int:
    """Return the log's size in bytes; 0 when there is none yet."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def read(path: Path, offset: int, limit: int | None = None) -> Iterator[bytes]:
    """Yield the bytes from `offset` on, at most `limit` of them, in blocks."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(offset)
        left = limit if limit is not None else max(0, os.fstat(file.fileno()).st_size - offset)
        while left > 0 and (block := file.read(min(BLOCK, left))):
            left -= len(block)
            yield block


def tail_offset(path: Path, lines: int) -> int:
    """Return the offset at which the last `lines` lines begin; a last line without an end counts as one."""
    if lines <= 0:
        return size(path)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return 0
    with file:
        end = os.fstat(file.fileno()).st_size
        wanted = lines
        position = end
        while position > 0:
            start = max(0, position - BLOCK)
            file.seek(start)
            block = file.read(position - start)
            if position == end and block.endswith(b"\n"):
                wanted += 1
            found = block.count(b"\n")
            if found >= wanted:
                cut = len(block)
                for _ in range(wanted):
                    cut = block.rindex(b"\n", 0, cut)
                return start + cut + 1
            wanted -= found
            position = start
        return 0
