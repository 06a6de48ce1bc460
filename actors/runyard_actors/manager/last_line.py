"""The last line that a run printed, as one line of plain text for people who look at many runs at once."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from runyard_actors.measure import RunUsage

#: Bytes at the end of a log in which its last line is looked for.
TAIL_BYTES = 4 * 1024
#: Characters shown of it.
LENGTH = 200

#: Escape sequences of terminals: colours, titles, movements. No part can match the text of another.
_ESCAPE = re.compile(
    r"\x1b\[[0-?]{0,256}[ -/]{0,16}[@-~]|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|\x1b[ -/]{0,3}[0-~]?"
)
_LINE_END = re.compile(r"[\r\n]+")


def with_last_lines(usages: Sequence[tuple[RunUsage, Path]]) -> list[RunUsage]:
    """Return the usages, each with the last line of its log. Reads files: for a thread."""
    return [replace(usage, last_line=last_line(_tail(log))) for usage, log in usages]


def last_line(tail: bytes) -> str | None:
    """Return the last line with anything to see in it; None if there is none.

    What a progress bar overwrote counts as a line of its own. Escape sequences, control characters and those that
    turn or hide text are left out.
    """
    text = _ESCAPE.sub("", tail.decode("utf-8", "replace"))
    for line in reversed(_LINE_END.split(text)):
        if shown := _shown(line):
            return shown
    return None


def _shown(line: str) -> str:
    blanks = line.replace("\t", " ").strip().lstrip("\ufffd")
    # Twice the length is looked at, for what is left out of it.
    kept = (c for c in blanks[: 2 * LENGTH] if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    return "".join(kept).strip()[:LENGTH]


def _tail(log: Path) -> bytes:
    try:
        with log.open("rb", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            return file.read(TAIL_BYTES)
    except OSError:
        return b""
