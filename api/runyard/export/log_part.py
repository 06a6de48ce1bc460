"""A log as a page shows it: all of it, or its head and its tail with words on what is left out. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

#: Reads bytes of a log, from an offset to another.
Read = Callable[[int, int], bytes]

#: What terminals take for colours and other commands.
_COMMANDS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPart:
    """`left_out` bytes of `size` lie between head and tail; 0, with an empty tail, if all of it is in the head."""

    head: str
    tail: str = ""
    left_out: int = 0
    size: int = 0


def log_part(read: Read, size: int, most_bytes: int) -> LogPart:
    """Return a log of that size, at most `most_bytes` of it, cut where lines end if it can be."""
    if size <= most_bytes:
        return LogPart(head=plain(read(0, size)), size=size)
    half = most_bytes // 2
    head, tail = read(0, half), read(size - half, size)
    end = head.rfind(b"\n") + 1 or len(head)
    start = tail.find(b"\n") + 1
    return LogPart(
        head=plain(head[:end]), tail=plain(tail[start:]), left_out=size - end - (len(tail) - start), size=size
    )


def plain(data: bytes) -> str:
    """Return what a terminal would leave standing, without its colours: of a progress bar its last state."""
    text = _COMMANDS.sub("", data.decode("utf-8", "replace").replace("\r\n", "\n"))
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", "\n".join(lines))
