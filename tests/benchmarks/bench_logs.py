"""What a log of ten million lines costs: `python tests/benchmarks/bench_logs.py [LINES]`."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from runyard_actors import log_file
from runyard_actors.log_file import Log
from runyard_actors.log_lines import LogLines
from runyard_actors.log_search import Query, search

LINE = b"2026-01-31T08:00:00 INFO step %09d loss=0.%06d the quick brown fox jumps over the lazy dog\n"


def main(count: int) -> None:
    """Write a log and measure each way to read it."""
    with tempfile.TemporaryDirectory() as folder:
        log = Log(path=Path(folder, "output.log"), has_ended=True)
        with log.path.open("wb") as file:
            for start in range(0, count, 10_000):
                numbers = range(start, min(count, start + 10_000))
                file.write(b"".join(LINE % (n, n * 7_919 % 1_000_000) for n in numbers))
        print(f"{count:,} lines, {log_file.size(log.path) / 1e6:,.0f} MB")
        lines = LogLines()
        measure("count all lines, save the index", lambda: lines.count(log))
        measure("a line in the middle", lambda: lines.lines(log, count // 2, count // 2))
        measure("the last 1,000 lines by number", lambda: lines.lines(log, count - 999, count))
        measure("a line, by a new server", lambda: LogLines().lines(log, count // 3, count // 3))
        measure("where the last 1,000 lines begin", lambda: log_file.tail_offset(log.path, 1_000))
        for text in ("nowhere", "fox", f"step {count - 1:09}"):
            measure(f"search {text!r}", lambda text=text: search(log, Query(text=text), lines))
        for text in ("nowhere", r"loss=0\.99\d+5 ", "[Ee]rror: .*x"):
            query = Query(text=text, is_regex=True)
            measure(f"search the pattern {text}", lambda query=query: search(log, query, lines))


def measure(what: str, work: Callable[[], object]) -> None:
    """Print how long one call takes."""
    start = time.perf_counter()
    work()
    print(f"{what:45} {(time.perf_counter() - start) * 1e3:10,.2f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)
