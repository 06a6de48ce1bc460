"""Where a text or a pattern occurs in a log; and the process that looks for patterns.

Standard library only: that process starts without anybody's packages, in some 20 ms.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from typing import Any

from runyard_actors import log_file

#: Patterns look at lines; of a longer one they see pieces of this many bytes, or one line could fill the memory.
LONGEST_LINE = 1 << 20
#: Memory of the process that looks for patterns, where the system can limit it.
MEMORY = 1 << 30

Blocks = Iterable[tuple[int, bytes]]


class Spots:
    """The occurrences so far: all counted, and some listed, as offset and length in bytes.

    Those that begin at `start` or after are listed, up to `limit`, and without the first `skip` of all.
    """

    def __init__(self, limit: int, start: int = 0, skip: int = 0) -> None:
        self.count = 0
        self.listed: list[tuple[int, int]] = []
        self._limit = limit
        self._start = start
        self._skip = skip
        self._before: int | None = None

    @property
    def before(self) -> int:
        """How many come before the first one listed; all, when none is."""
        return self.count if self._before is None else self._before

    def lists_before(self, end: int) -> bool:
        """Whether an occurrence that begins before `end` may still be listed."""
        return len(self.listed) < self._limit and end > self._start

    def skips(self, data: bytes, wanted: bytes) -> bool:
        """Whether those in `data` are all among the first ones that are not listed."""
        return self.count < self._skip and self.count + data.count(wanted) <= self._skip

    def add(self, offset: int, length: int) -> None:
        """Count an occurrence, and list it if it is to be."""
        if offset >= self._start and self.count >= self._skip and len(self.listed) < self._limit:
            self._before = self.count if self._before is None else self._before
            self.listed.append((offset, length))
        self.count += 1


def literal(blocks: Blocks, text: bytes, spots: Spots, *, ignore_case: bool = False) -> None:
    """Find `text`, which has no line feed. `ignore_case` is for letters of ASCII."""
    wanted = text.lower() if ignore_case else text
    rest, expected = b"", -1
    for offset, block in blocks:
        data = rest + block if offset == expected else block
        base = expected = offset + len(block)
        base -= len(data)
        end = _take(data.lower() if ignore_case else data, base, wanted, spots)
        rest = data[max(end, len(data) - len(wanted) + 1) :]


def pattern(blocks: Blocks, wanted: re.Pattern[str], spots: Spots) -> None:
    """Find what a pattern matches within a line, as often as it does; matches of nothing do not count."""
    for base, data in _whole_lines(blocks):
        lines = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n")
        hits = [index for index, match in enumerate(map(wanted.search, lines)) if match]
        if hits and spots.lists_before(base + len(data)):
            starts = list(accumulate((len(line) + 1 for line in data.split(b"\n")), initial=base))
            for index in hits:
                _take_matches(lines[index], starts[index], wanted, spots)
        else:
            spots.count += sum(m.end() > m.start() for index in hits for m in wanted.finditer(lines[index]))


class Timed:
    """Passes blocks on for so many seconds while it `goes_on`, and tells how far the log was `reached`."""

    def __init__(self, blocks: Blocks, seconds: float, goes_on: Callable[[], bool]) -> None:
        self.reached = 0
        self._blocks = blocks
        self._end = time.monotonic() + seconds
        self._goes_on = goes_on

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        for offset, block in self._blocks:
            yield offset, block
            self.reached = offset + len(block)
            if time.monotonic() > self._end or not self._goes_on():
                return


def main() -> None:
    """Answer the one request on standard input, both as JSON. A pattern that gets stuck ends this process.

    `re` can't be interrupted, and holds the interpreter's lock meanwhile, so nothing in Python could do that.
    The watch of `faulthandler` needs no lock, works on all systems, and also when nobody waits any more.
    """
    request = json.load(sys.stdin)
    _limit_memory()
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 as little as possible is imported
        stuck_seconds = request["stuck_seconds"]
        _watch(nowhere, stuck_seconds)
        try:
            answer = _answer(request, lambda: _watch(nowhere, stuck_seconds))
        except (re.error, OverflowError, RecursionError) as error:
            answer = {"error": str(error)}
        except MemoryError:
            answer = {"error": "it takes too much memory"}
        faulthandler.cancel_dump_traceback_later()
    json.dump(answer, sys.stdout)


def _answer(request: dict[str, Any], goes_on: Callable[[], bool]) -> dict[str, Any]:
    wanted = re.compile(request["pattern"], re.IGNORECASE if request["ignore_case"] else 0)
    spots = Spots(request["limit"], request["start"], request["skip"])
    gap = tuple(request["gap"]) if request["gap"] else None
    blocks = log_file.kept(Path(request["path"]), 0, request["size"], gap)
    timed = Timed(blocks, request["seconds"], goes_on)
    pattern(timed, wanted, spots)
    return {"count": spots.count, "before": spots.before, "spots": spots.listed, "reached": timed.reached}


def _watch(nowhere: Any, seconds: float) -> bool:
    faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
    return True


def _limit_memory() -> None:
    try:
        resource = import_module("resource")
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, OSError, ValueError):
        return


def _take(data: bytes, base: int, wanted: bytes, spots: Spots) -> int:
    """Add the occurrences in `data`; return where the last one ends."""
    end = 0
    is_listed = not spots.skips(data, wanted)
    while is_listed and spots.lists_before(base + len(data)):
        at = data.find(wanted, end)
        if at < 0:
            return end
        spots.add(base + at, len(wanted))
        end = at + len(wanted)
    spots.count += data.count(wanted, end)
    # Counting tells no place, but no occurrence crosses a line feed: the last line is enough to find it.
    end = max(end, data.rfind(b"\n") + 1)
    while (at := data.find(wanted, end)) >= 0:
        end = at + len(wanted)
    return end


def _take_matches(line: str, offset: int, wanted: re.Pattern[str], spots: Spots) -> None:
    at = 0
    for match in wanted.finditer(line):
        if match.end() > match.start():
            offset += _bytes(line[at : match.start()])
            length = _bytes(match.group())
            spots.add(offset, length)
            offset += length
            at = match.end()


def _whole_lines(blocks: Blocks) -> Iterator[tuple[int, bytes]]:
    """Cut blocks at line ends, and lines that are too long wherever a block ends."""
    rest, expected = b"", 0
    for offset, block in blocks:
        if offset != expected and rest:
            yield expected - len(rest), rest
            rest = b""
        data = rest + block
        expected = offset + len(block)
        cut = data.rfind(b"\n") + 1
        if not cut and len(data) >= LONGEST_LINE:
            cut = len(data)
        if cut:
            yield expected - len(data), data[:cut]
        rest = data[cut:]
    if rest:
        yield expected - len(rest), rest


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
