"""Measure pages of history over many runs, and print a table.

    python tests/benchmarks/history_pages.py [--runs 1000000] [--keep FOLDER]

Fills a database through the writer, as the product does, and then asks for pages of 50. With --keep the
database stays in FOLDER and is used again by the next call.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from runyard_actors.ids import new_ids
from runyard_actors.request import Request
from runyard_actors.run import BatchId, BatchSpec, Outcome, Reason, RunId, RunSpec, Status
from runyard_actors.store import RunFilter, StoreReader, StoreWriter, load_state
from runyard_actors.store.changes import (
    AttemptEnded,
    AttemptStarted,
    AttemptStarting,
    Change,
    ProgressReported,
    RunDropped,
    RunsSubmitted,
)

GROUP = 5_000
LEFT_QUEUED = 1_000
FIRST_AT = 1_700_000_000_000_000
SECOND = 1_000_000
REPEATS = 15


def main() -> None:
    """Fill, ask, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=1_000_000)
    options.add_argument("--keep", type=Path)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = (chosen.keep or Path(folder)) / "runyard.sqlite3"
        if not path.exists():
            fill(path, chosen.runs)
        size = path.stat().st_size
        print(f"{chosen.runs:,} runs, {size / 2**20:,.0f} MiB, {size / chosen.runs:,.0f} bytes a run\n")
        measure(path, chosen.runs)


def fill(path: Path, runs: int) -> None:
    """Submit that many runs, and let all but the last thousand live and end."""
    writer, dice, start = StoreWriter(path), random.Random(7), time.perf_counter()
    for first in range(0, runs, GROUP):
        specs = list(_specs(first, min(GROUP, runs - first), dice))
        batch_id = specs[0].batch_id
        batch = BatchSpec(batch_id=batch_id) if batch_id else None
        at = FIRST_AT + first * SECOND
        writer.write([RunsSubmitted(specs=specs, created_at=at, batch=batch)]).result()
        ending = [spec for i, spec in enumerate(specs) if first + i < runs - LEFT_QUEUED]
        changes = [change for spec in ending for change in _life(spec, at, dice)]
        writer.write(changes).result()
    writer.close()
    spent = time.perf_counter() - start
    print(f"filled through the writer in {spent:.0f} s, {spent / runs * 1e6:.0f} us a run's whole life")


def _specs(first: int, count: int, dice: random.Random) -> Iterator[RunSpec]:
    # Half of all runs lie in one great batch, the others in batches of a group or in none.
    group = first // GROUP
    batch_id = BatchId("great") if group % 2 else BatchId(f"batch-{group}") if group % 4 else None
    for i, run_id in enumerate(new_ids(count)):
        module = "rare" if dice.random() < 0.0001 else f"module-{min(int(dice.expovariate(0.5)), 15)}"
        labels = {"team": f"team-{i % 5}"} | ({"kind": "seldom"} if dice.random() < 0.0001 else {})
        yield RunSpec(
            run_id=RunId(run_id),
            module_id=module,
            module_name=module.title(),
            command=("/usr/bin/python3", f"/srv/modules/{module}.py", "--index", str(first + i)),
            cwd="/srv/modules",
            env={"OMP_NUM_THREADS": "2", "DATA": "/srv/data"},
            request=Request(cpu_milli=1000, memory_bytes=2**30),
            labels=labels,
            batch_id=batch_id,
            batch_index=i,
        )


def _life(spec: RunSpec, at: int, dice: random.Random) -> Iterator[Change]:
    start = at + dice.randrange(3_600 * SECOND)
    end = start + int(dice.expovariate(1 / 60) * SECOND)
    luck = dice.random()
    if luck < 0.01:
        yield RunDropped(run_id=spec.run_id, reason=Reason.CANCELLED_BY_USER, detail="cancelled", at=start)
        return
    yield AttemptStarting(
        run_id=spec.run_id, attempt=1, nonce="0" * 16, node="node-1", boot_id="boot", at=start
    )
    yield AttemptStarted(run_id=spec.run_id, attempt=1, pid=4242, at=start)
    if luck < 0.1:
        yield ProgressReported(run_id=spec.run_id, progress=0.5, message=f"epoch {luck:.6f}", at=start)
    reason = Reason.EXIT_CODE if luck > 0.95 else None
    outcome = Outcome(ended_at=end, started_at=start, exit_code=1 if reason else 0, reason=reason)
    yield AttemptEnded(run_id=spec.run_id, attempt=1, outcome=outcome)


def measure(path: Path, runs: int) -> None:
    """Ask for the first, a deep and the last page of each filter."""
    reader = StoreReader(path)
    print(f"{'page of 50':42}{'total':>10}{'first':>10}{'middle':>10}{'last':>10}   (ms, median)")
    for name, wanted in _filters(runs).items():
        _, total = reader.runs(wanted, 50, 0)
        spots = [0, max(0, total // 2), max(0, total - 50)]
        times = [_median_ms(reader, wanted, spot) for spot in spots]
        print(f"{name:42}{total:>10,}" + "".join(f"{t:>10.2f}" for t in times))
    print()
    _print_time("batches, first page", lambda: reader.batches())
    _print_time("the great batch", lambda: reader.batch("great"))
    _print_time("stats", lambda: reader.stats())
    _print_time("state of a starting manager", lambda: load_state(path))
    reader.close()


def _filters(runs: int) -> dict[str, RunFilter]:
    middle = FIRST_AT + runs // 2 * SECOND
    return {
        "all": RunFilter(),
        "all, oldest first": RunFilter(sort="created_at"),
        "completed": RunFilter(statuses=[Status.COMPLETED]),
        "failed, cancelled": RunFilter(statuses=[Status.FAILED, Status.CANCELLED]),
        "queued": RunFilter(statuses=[Status.QUEUED]),
        "module-0 (many)": RunFilter(module_id="module-0"),
        "module-0, failed": RunFilter(module_id="module-0", statuses=[Status.FAILED]),
        "rare module": RunFilter(module_id="rare"),
        "great batch": RunFilter(batch_id="great"),
        "great batch, module-1": RunFilter(batch_id="great", module_id="module-1"),
        "great batch, rare module": RunFilter(batch_id="great", module_id="rare"),
        "second half": RunFilter(since=middle),
        "first half, failed": RunFilter(until=middle, statuses=[Status.FAILED]),
        "all by -ended_at": RunFilter(sort="-ended_at"),
        "all by duration": RunFilter(sort="duration"),
        "failed by -duration": RunFilter(sort="-duration", statuses=[Status.FAILED]),
        "rare module by -started_at": RunFilter(sort="-started_at", module_id="rare"),
        "label team=team-1": RunFilter(label="team=team-1"),
        "label kind": RunFilter(label="kind"),
        "label team=team-1, failed": RunFilter(label="team=team-1", statuses=[Status.FAILED]),
        "text module-1": RunFilter(text="module-1"),
        "text in a message": RunFilter(text="epoch 0.01"),
        "text found nowhere": RunFilter(text="zzzzzz"),
    }


def _median_ms(reader: StoreReader, wanted: RunFilter, offset: int) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        reader.runs(wanted, 50, offset)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def _print_time(name: str, ask: object) -> None:
    assert callable(ask)
    start = time.perf_counter()
    ask()
    print(f"{name:42}{(time.perf_counter() - start) * 1e3:>10.2f} ms")


if __name__ == "__main__":
    main()
