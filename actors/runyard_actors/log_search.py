"""Searching a whole log, of any size, for a text or a pattern."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import runyard_actors
from runyard_actors import log_file, log_match
from runyard_actors.log_file import Log
from runyard_actors.log_lines import LogLines
from runyard_actors.log_match import Spots, Timed
from runyard_cluster.errors import InvalidRequestError

#: A search ends after so many seconds, and says how far it came.
SEARCH_SECONDS = 20.0
#: A pattern that spends so many seconds on one block of the log would spend years on the next.
STUCK_SECONDS = 5.0
#: Characters shown of a hit and its line.
SHOWN = 2_000
#: Bytes read to show them: no character of UTF-8 has more than four.
AROUND = 4 * (SHOWN + 1)
#: A process that looks for patterns starts in a moment; on a machine that is too busy for that, this is the end.
START_SECONDS = 10.0
#: How often it is asked whether the search is still wanted, in seconds.
LOOK_SECONDS = 0.2

_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from runyard_actors.log_match import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to look for: a text, or a pattern of Python's `re`, within lines.

    All occurrences are counted; up to `limit` of those that begin at the offset `start` or after are listed, without
    the first `skip` of all.
    """

    text: str
    is_regex: bool = False
    ignore_case: bool = False
    limit: int = 100
    start: int = 0
    skip: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a search ends before the log does: after so many `seconds`, with what it found by then; after
    `stuck_seconds` in one place, as an error; or once it is no longer wanted.
    """

    seconds: float = SEARCH_SECONDS
    stuck_seconds: float = STUCK_SECONDS
    is_wanted: Callable[[], bool] = lambda: True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One occurrence: its place in bytes, its line's number, and the line around it, 2,000 characters in all."""

    offset: int
    length: int
    line: int
    before: str
    match: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found in the first `searched_bytes` of a log of `size` bytes; `is_complete` when that is all.

    `before` is how many occurrences come before the first of `hits`.
    """

    count: int
    before: int
    hits: tuple[Hit, ...]
    searched_bytes: int
    size: int

    @property
    def is_complete(self) -> bool:
        """Whether `count` is of the whole log."""
        return self.searched_bytes >= self.size


def search(log: Log, query: Query, lines: LogLines | None = None, limits: Limits | None = None) -> Found:
    """Search a log as long as it is now; `lines` knows the lines of logs seen before.

    Raises InvalidRequestError for a pattern that is wrong, or that gets lost in this log.
    """
    if not query.text or "\n" in query.text:
        raise _invalid("a search is for at least one character, within a line")
    size = log_file.size(log.path)
    is_pattern = query.is_regex or (query.ignore_case and not query.text.isascii())
    found = (_pattern if is_pattern else _literal)(log, query, size, limits or Limits())
    hits = _hits(log, found.listed, size, lines)
    return Found(count=found.count, before=found.before, hits=hits, searched_bytes=found.reached, size=size)


@dataclass(frozen=True, slots=True)
class _Spots:
    count: int
    before: int
    listed: list[tuple[int, int]]
    reached: int


def _literal(log: Log, query: Query, size: int, limits: Limits) -> _Spots:
    spots = Spots(query.limit, query.start, query.skip)
    blocks = Timed(log_file.kept(log.path, 0, size, log.gap), limits.seconds, limits.is_wanted)
    text = query.text.encode("utf-8", "replace")
    log_match.literal(blocks, text, spots, ignore_case=query.ignore_case)
    return _Spots(spots.count, spots.before, spots.listed, blocks.reached)


def _pattern(log: Log, query: Query, size: int, limits: Limits) -> _Spots:
    r"""Look for a pattern in a process of its own.

    `(a+)+b` takes longer than anyone lives, and Python's `re` can be interrupted by nothing but the end of its
    process; it also keeps every other thread of its process from running. The package `regex` has a time limit, but
    its own dialect, a compiled part to install, and the server's processor for as long as it takes.
    """
    request = {
        "path": str(log.path),
        "pattern": query.text if query.is_regex else re.escape(query.text),
        "ignore_case": query.ignore_case,
        "limit": query.limit,
        "start": query.start,
        "skip": query.skip,
        "size": size,
        "gap": log.gap,
        "seconds": limits.seconds,
        "stuck_seconds": limits.stuck_seconds,
    }
    answer = _ask(request, limits)
    if answer is None:
        raise _invalid(
            "the pattern takes too long on this log; nested repeats as in (a+)+ are the usual cause"
        )
    if "error" in answer:
        raise _invalid(f"the pattern is wrong: {answer['error']}")
    listed = [(offset, length) for offset, length in answer["spots"]]
    return _Spots(answer["count"], answer["before"], listed, answer["reached"])


def _ask(request: dict[str, Any], limits: Limits) -> dict[str, Any] | None:
    """Return the answer of a process that looks for a pattern; None when it got stuck, or nobody waits for it."""
    root = str(Path(runyard_actors.__file__).parents[1])
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _PROGRAM, root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    with child:
        try:
            output = _output(child, json.dumps(request).encode(), limits)
        finally:
            child.kill()
    answer: dict[str, Any] | None = json.loads(output) if output else None
    return answer


def _output(child: subprocess.Popen[bytes], data: bytes | None, limits: Limits) -> bytes | None:
    end = time.monotonic() + START_SECONDS + limits.seconds + limits.stuck_seconds
    while time.monotonic() < end and limits.is_wanted():
        try:
            return child.communicate(data, timeout=LOOK_SECONDS)[0]
        except subprocess.TimeoutExpired:
            data = None
    return None


def _hits(log: Log, listed: list[tuple[int, int]], size: int, lines: LogLines | None) -> tuple[Hit, ...]:
    if not listed:
        return ()
    numbers = (lines or LogLines()).numbers(log, [offset for offset, _ in listed])
    spans = log_file.spans(0, size, log.gap)
    return tuple(
        _hit(log.path, offset, length, number, spans)
        for (offset, length), number in zip(listed, numbers, strict=True)
    )


def _hit(path: Path, offset: int, length: int, number: int, spans: list[tuple[int, int]]) -> Hit:
    """Read the line around an occurrence; a gap ends what is shown as the line's ends do."""
    low, high = next(((low, high) for low, high in spans if low <= offset < high), (offset, offset))
    start = max(low, offset - AROUND)
    end = min(high, offset + min(length, AROUND) + AROUND)
    data = b"".join(log_file.read(path, start, end - start))
    at = offset - start
    before = _text(data[:at].rpartition(b"\n")[2])
    match = _text(data[at : at + length])[:SHOWN]
    after = _text(data[at + length :].partition(b"\n")[0].removesuffix(b"\r"))
    room = SHOWN - len(match)
    before = before[max(0, len(before) - max(room // 2, room - len(after))) :]
    return Hit(
        offset=offset, length=length, line=number,
        before=before, match=match, after=after[: room - len(before)],
    )  # fmt: skip


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _invalid(message: str) -> InvalidRequestError:
    return InvalidRequestError(f"q: {message}", [{"field": "q", "message": message}])
