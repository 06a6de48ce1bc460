"""Logs small enough to do everything the simple way, and the simple way."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from runyard_actors.log_file import Gap

#: Pieces of which logs are made: line ends of both kinds, characters of all lengths, and bytes that are none.
PIECES = (
    b"a",
    b"aa",
    b"b",
    b"AB",
    b"\n",
    b"\n\n",
    b"\r\n",
    b"\r",
    "é".encode(),
    "\U0001f680".encode(),
    b"\xff",
)
logs = st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join)


def split(data: bytes) -> list[bytes]:
    """Return the lines with their ends."""
    return re.findall(rb"[^\n]*\n|[^\n]+", data)


def starts(data: bytes) -> list[int]:
    """Return where each line begins."""
    found, at = [], 0
    for line in split(data):
        found.append(at)
        at += len(line)
    return found


def spots(data: bytes, pattern: re.Pattern[str]) -> list[tuple[int, int, int]]:
    """Return offset, length and line of all matches within lines."""
    found = []
    for number, (start, raw) in enumerate(zip(starts(data), split(data), strict=True), 1):
        line = raw.removesuffix(b"\n")
        line = line.removesuffix(b"\r") if raw.endswith(b"\n") else line
        text = line.decode("utf-8", "surrogateescape")
        for match in pattern.finditer(text):
            before = text[: match.start()].encode("utf-8", "surrogateescape")
            length = len(match.group().encode("utf-8", "surrogateescape"))
            if length:
                found.append((start + len(before), length, number))
    return found


def with_gap(data: bytes, at: int, zeros: int) -> tuple[bytes, Gap]:
    """Return a log whose middle was dropped, and where; what came last is always kept."""
    data = data or b"a"
    at = min(at, len(data) - 1)
    return data[:at] + b"\0" * zeros + data[at:], (at, at + zeros)
