"""Lines of a log by their numbers: any of ten million at once, from a sparse index that grows with the log."""

from __future__ import annotations

import codecs
import json
import sys
import threading
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runyard_actors import log_file
from runyard_actors.log_file import Gap, Log
from runyard_cluster.files import durable_replace

#: Bytes of log between two entries of an index. Entries at every so many bytes, not lines, bound what has to be
#: read to find a line also where lines are long, and are made by counting alone: 16 bytes for each 64 KiB.
STEP = 64 * 1024
#: Indexes kept in memory, those last used; some 256 KiB each for a log of 1 GiB.
KEPT = 64
#: An index of a smaller log is made anew sooner than it is read.
WORTH_SAVING = 4 << 20
#: Bytes shown of one line at most, and of all lines of one answer.
LINE_BYTES = 16 * 1024
ANSWER_BYTES = 4 << 20
#: Bytes at the end of a longer line in which its last update is looked for, if it is that of a progress bar.
UPDATE_BYTES = 4 * 1024
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line, without its end. `offset` is where it begins, `length` how many bytes it has.

    `is_cut` tells whether there is more of it; `update`, what such a line shows after its last carriage return, as
    progress bars use them.
    """

    number: int
    offset: int
    length: int
    text: str
    is_cut: bool = False
    update: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Some lines of a log of `total` lines and `size` bytes as it was when they were read."""

    lines: tuple[Line, ...]
    total: int
    size: int


class LogLines:
    """Knows where lines begin. For any thread; calls for one log wait for each other.

    Lines are numbered from 1, end with a line feed, and a last one without an end counts. Where a log has a `gap`,
    one line goes across it. With `has_ended`, the index is saved beside the log for the next server.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._indexes: OrderedDict[Path, _Index] = OrderedDict()
        self._gate = threading.Lock()

    def count(self, log: Log) -> int:
        """Return how many lines the log has now."""
        with self._caught_up(log) as index:
            return index.total

    def lines(self, log: Log, first: int, last: int) -> Lines:
        """Return lines `first` to `last`, as far as there are any and as they fit into one answer."""
        with self._caught_up(log) as index:
            found = tuple(index.lines(max(1, first), min(last, index.total)))
            return Lines(lines=found, total=index.total, size=index.end)

    def numbers(self, log: Log, offsets: Sequence[int]) -> list[int]:
        """Return the numbers of the lines that hold the bytes at `offsets`."""
        with self._caught_up(log) as index:
            return [index.number_at(offset) for offset in offsets]

    @contextmanager
    def _caught_up(self, log: Log) -> Iterator[_Index]:
        index = self._index(log.path)
        with index.lock:
            index.catch_up(log)
            yield index

    def _index(self, path: Path) -> _Index:
        with self._gate:
            index = self._indexes.setdefault(path, _Index(path))
            self._indexes.move_to_end(path)
            if len(self._indexes) > self._kept:
                self._indexes.popitem(last=False)
            return index


class _Index:
    """How many lines end before some offsets of a log, in ascending order of both."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.Lock()
        self._path = path
        self._saved = path.with_suffix(".lines")
        self.end = 0
        self._clear(None)

    @property
    def total(self) -> int:
        """Lines up to the offset `end`."""
        return self._ended + (not self._ends_whole)

    def catch_up(self, log: Log) -> None:
        """Take in what the log grew by; begin anew when it is not the log that it was."""
        size = log_file.size(self._path)
        if size < self.end or log.gap != self._gap:
            self._clear(log.gap)
        if size > self.end and not (log.has_ended and self.end == 0 and self._load()):
            self._count(size)
        if log.has_ended and not self._is_saved and self.end >= WORTH_SAVING:
            self._save()

    def lines(self, first: int, last: int) -> Iterator[Line]:
        """Yield lines that are there; fewer when they are long."""
        if first > last:
            return
        begin, end = self._start_of(first), self._start_of(last + 1)
        parts = log_file.spans(begin, end, self._gap)
        if parts == [(begin, end)] and end - begin <= ANSWER_BYTES:
            data = b"".join(log_file.read(self._path, begin, end - begin))
            for number, raw in enumerate(data.split(b"\n")[: last - first + 1], first):
                is_cut = len(raw) > LINE_BYTES
                yield _line(
                    number, begin, len(raw), raw[: LINE_BYTES + 1], raw[-UPDATE_BYTES:] if is_cut else None
                )
                begin += len(raw) + 1
        else:
            yield from self._long_lines(first, last)

    def number_at(self, offset: int) -> int:
        """Return the number of the line that holds the byte at `offset`."""
        entry = bisect_right(self._offsets, offset) - 1
        number = self._counts[entry] + 1
        for _, data in log_file.kept(self._path, self._offsets[entry], offset, self._gap):
            number += data.count(b"\n")
        return number

    def _long_lines(self, first: int, last: int) -> Iterator[Line]:
        """Look up each line by itself, so that nothing is read of what is not shown."""
        left = ANSWER_BYTES
        begin = self._start_of(first)
        for number in range(first, last + 1):
            end = self._start_of(number + 1)
            low, high = next(iter(log_file.spans(begin, end, self._gap)), (begin, begin))
            high = min(high, low + LINE_BYTES + 1)
            raw = b"".join(log_file.read(self._path, low, high - low))
            is_cut = len(raw) > LINE_BYTES or high < end
            is_cut = is_cut and not raw.endswith(b"\n")
            length = end - begin - (number <= self._ended)
            rest = self._last_bytes(begin, begin + length) if is_cut else None
            yield _line(number, begin, length, raw.removesuffix(b"\n"), rest)
            left -= len(raw)
            begin = end
            if left <= 0:
                return

    def _last_bytes(self, begin: int, end: int) -> bytes:
        """Return what a long line ends with, as far as it is kept."""
        low, high = log_file.spans(begin, end, self._gap)[-1]
        low = max(low, high - UPDATE_BYTES)
        return b"".join(log_file.read(self._path, low, high - low))

    def _start_of(self, number: int) -> int:
        """Return where a line begins; the log's end for those after the last one."""
        left = number - 1
        if left == 0:
            return 0
        if left > self._ended:
            return self.end
        entry = bisect_left(self._counts, left) - 1
        left -= self._counts[entry]
        for offset, data in log_file.kept(self._path, self._offsets[entry], self.end, self._gap, STEP):
            ends = data.count(b"\n")
            if left <= ends:
                return offset + len(data) - len(data.split(b"\n", left)[-1])
            left -= ends
        return self.end

    def _count(self, size: int) -> None:
        for offset, data in log_file.kept(self._path, self.end, size, self._gap, STEP):
            if offset - self._offsets[-1] >= STEP:
                self._offsets.append(offset)
                self._counts.append(self._ended)
            self._ended += data.count(b"\n")
            self._ends_whole = data.endswith(b"\n")
            self._is_saved = False
            self.end = offset + len(data)

    def _clear(self, gap: Gap | None) -> None:
        self._gap = gap
        self._offsets = array("Q", [0])
        self._counts = array("Q", [0])
        self._ended = 0
        self._ends_whole = True
        self._is_saved = False
        self.end = 0

    def _save(self) -> None:
        body = _packed(self._offsets) + _packed(self._counts)
        head = self._head() | {
            "ended": self._ended,
            "ends_whole": self._ends_whole,
            "checksum": zlib.crc32(body),
        }
        self._is_saved = True
        try:
            durable_replace(self._saved, json.dumps(head).encode() + b"\n" + body)
        except OSError:
            return  # A full disk, or a folder that is gone: it is only there to save time.

    def _load(self) -> bool:
        try:
            head, _, body = self._saved.read_bytes().partition(b"\n")
            fields = json.loads(head)
            if fields["checksum"] != zlib.crc32(body) or not self._head().items() <= fields.items():
                return False
            half = len(body) // 2
            offsets, counts = _unpacked(body[:half]), _unpacked(body[half:])
            ended, ends_whole, end = int(fields["ended"]), bool(fields["ends_whole"]), int(fields["size"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False
        self._offsets, self._counts = offsets, counts
        self._ended, self._ends_whole, self.end = ended, ends_whole, end
        self._is_saved = True
        return True

    def _head(self) -> dict[str, Any]:
        """Return what tells which state of which log an index is of."""
        found = self._path.stat()
        gap = list(self._gap) if self._gap else None
        return {"format": _FORMAT, "size": found.st_size, "mtime_ns": found.st_mtime_ns, "gap": gap}


def _line(number: int, offset: int, length: int, raw: bytes, rest: bytes | None) -> Line:
    """Return a line; one that has a `rest`, its last bytes, is cut."""
    if rest is not None:
        # A character that the cut goes through is left out; a wrong one within is shown as such.
        text = codecs.getincrementaldecoder("utf-8")("replace").decode(raw[:LINE_BYTES])
    else:
        text = raw.decode("utf-8", "replace").removesuffix("\r")
    update = _last_update(rest) if rest else None
    is_cut = rest is not None
    return Line(number=number, offset=offset, length=length, text=text, is_cut=is_cut, update=update)


def _last_update(rest: bytes) -> str | None:
    """Return what stands after the last carriage return that something stands after."""
    *earlier, last = rest.rstrip(b"\r").split(b"\r")
    return last.decode("utf-8", "replace") if earlier else None


def _packed(numbers: array[int]) -> bytes:
    """Return 64-bit numbers in the same order of bytes everywhere."""
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _unpacked(data: bytes) -> array[int]:
    numbers = array("Q")
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
