"""Measure a daily copy of a large store, and whether commits wait for it.

    python tests/benchmarks/bench_backup.py [--runs 1000000] [--keep FOLDER]

One submission after another is committed, with a run's whole life, before the copy and during it. FOLDER may be that of
`history_pages.py`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from runyard_actors.store import StoreWriter
from runyard_actors.store.backup import back_up_daily
from tests.benchmarks.history_fill import fill
from tests.unit.store.making import life, specs, submitted

COMMITS_BEFORE = 500
PAUSE_SECONDS = 0.005


def main() -> None:
    """Fill, commit, copy and commit, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=1_000_000)
    options.add_argument("--keep", type=Path)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = (chosen.keep or Path(folder)) / "runyard.sqlite3"
        if not path.exists():
            fill(path, chosen.runs)
        measure(path)


def measure(path: Path) -> None:
    """Print how long commits take, and the copy."""
    writer, is_done = StoreWriter(path), Event()
    _commit(writer, "before", lambda taken: len(taken) >= COMMITS_BEFORE)
    others = Thread(target=_commit, args=(writer, "during", lambda _: is_done.is_set()))
    others.start()
    began = time.perf_counter()
    copy = back_up_daily(path, Event())
    spent = time.perf_counter() - began
    is_done.set()
    others.join()
    assert copy is not None
    log_size = Path(f"{path}-wal").stat().st_size
    print(
        f"copied {copy.stat().st_size / 2**20:,.0f} MiB in {spent:.1f} s; the log grew to {log_size >> 20} MiB"
    )
    copy.unlink()
    writer.close()


def _commit(writer: StoreWriter, name: str, is_enough: Callable[[list[float]], bool]) -> None:
    taken: list[float] = []
    while not is_enough(taken):
        (run,) = specs(1)
        began = time.perf_counter()
        writer.write([submitted([run]), *life(run)]).result()
        taken.append((time.perf_counter() - began) * 1e3)
        time.sleep(PAUSE_SECONDS)
    taken.sort()
    p50, p95 = taken[len(taken) // 2], taken[len(taken) * 95 // 100]
    print(f"{len(taken):,} commits {name}: p50 {p50:.1f}, p95 {p95:.1f}, worst {taken[-1]:.1f} ms")


if __name__ == "__main__":
    main()
