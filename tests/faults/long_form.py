"""The long form: every fault many times, and a table of what was lost, started twice, or left behind.

    python -m tests.faults.long_form [TIMES] [--files TIMES] [--only WORD]

Each failpoint has a row of its own, and each file of faults one. A file may take minutes where a failpoint takes
seconds, so `--files` has a number of its own. `--only` takes rows with that word in their names.
The exit code is 1 if anything but zeros is in the last four columns.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.faults.test_failpoints import SIDE_BY_SIDE, points, swept_once
from tests.faults.witness import Row, Witness

HERE = Path(__file__).parent
#: Swept point by point, and what breaks the oracle on purpose.
NOT_HERE = {"test_failpoints", "test_oracle"}
HEAD = ("fault", "scenarios", "runs", "lost", "twice", "left behind", "otherwise wrong")


def main() -> int:
    """Break everything, and print; return 1 if anything was wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("times", nargs="?", type=int, default=10)
    options.add_argument(
        "--files", type=int, help="how often each file is run; as often as the rest if left out"
    )
    options.add_argument("--only", default="", help="rows with this in their names")
    asked = options.parse_args()
    print(f"| {' | '.join(HEAD)} |\n| --- |{' ---: |' * (len(HEAD) - 1)}", flush=True)
    is_good = True
    for name, row in rows(asked.times, asked.times if asked.files is None else asked.files, asked.only):
        cells = row.cells
        left_out = f" ({row.tests['skipped']} cannot be had here)" if row.tests["skipped"] else ""
        print(f"| {name}{left_out} | {' | '.join(map(str, cells))} |", flush=True)
        print(*row.words, sep="\n", end="\n" if row.words else "", file=sys.stderr)
        is_good &= not any(cells[2:])
    return not is_good


def rows(times: int, times_of_files: int, only: str) -> Iterator[tuple[str, Row]]:
    """Yield each fault's row as soon as it is there."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        wanted = [point for point in points() if only in f"killed at {point}"]
        found = pool.map(partial(swept, times=times), wanted)
        yield from zip((f"killed at {point}" for point in wanted), found, strict=True)
    for path in sorted(HERE.glob("test_*.py")):
        name = path.stem.removeprefix("test_").replace("_", " ")
        if path.stem not in NOT_HERE and only in name:
            yield name, tested(path, times_of_files)


def swept(point: str, times: int) -> Row:
    """Kill whoever comes by a point, so many times."""
    row = Row()
    for number in range(times):
        with tempfile.TemporaryDirectory(prefix="ry-sweep-") as folder:
            try:
                row.add(f"{number}", *swept_once(point, Path(folder)))
            except AssertionError as error:
                row.tests["failed"] += 1
                row.failures.append(f"killed at {point}, time {number}: {error}")
            else:
                row.tests["passed"] += 1
    return row


def tested(path: Path, times: int) -> Row:
    """Do what a file of tests does, so many times, those that take minutes included."""
    witness = Witness()
    # No report but this one, and none of the options that go with the usual one. It is not the first time in this
    # process that pytest finds its plugins imported.
    options = ["-p", "no:terminal", "-o", "addopts=", "--import-mode=importlib"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    for _ in range(times):
        pytest.main([*options, str(path)], plugins=[witness])
    return witness.rows.get(path.stem, Row())


if __name__ == "__main__":
    sys.exit(main())
