"""What the simulator plays: nodes, and runs that are submitted over time, generated or recorded.

Times are microseconds, as everywhere inside. Every simulated run completes at its first attempt.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runyard_actors.request import WHOLE, Request
from runyard_actors.run import BatchId, BatchSpec, RunId, Status
from runyard_actors.scheduling.core import QueuedRun
from runyard_actors.scheduling.ledger import NodeLedger
from runyard_actors.scheduling.node import GpuSpec, NodeSpec
from runyard_actors.store import RunFilter, StoreReader

GIB = 2**30
SECOND = 1_000_000
LONGEST = 2 * 3600 * SECOND
PAGE = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Submission:
    """Runs that are submitted together, as a batch or single."""

    at: int
    runs: tuple[QueuedRun, ...]
    batch: BatchSpec | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """Nodes, submissions by time, and how long each run lasts."""

    nodes: Sequence[NodeSpec]
    submissions: Sequence[Submission]
    durations: Mapping[RunId, int]


def node(name: str, cpus: float, gib: float, gpus: int = 0, gpu_gib: float = 0) -> NodeSpec:
    """A node in CPUs, GiB, GPUs and GiB of each."""
    sizes = tuple(GpuSpec(index=i, memory_bytes=int(gpu_gib * GIB)) for i in range(gpus))
    return NodeSpec(name=name, cpu_milli=int(cpus * WHOLE), memory_bytes=int(gib * GIB), gpus=sizes)


def cluster(count: int) -> list[NodeSpec]:
    """Nodes of which half have no GPU, a quarter 4 of 24 GiB, a quarter 8 of 80 GiB."""
    kinds = [(64.0, 512.0, 8, 80.0), (32.0, 128.0, 0, 0.0), (32.0, 128.0, 4, 24.0), (32.0, 128.0, 0, 0.0)]
    return [node(f"node-{i:04}", *kinds[i % len(kinds)]) for i in range(count)]


def generate(runs: int, nodes: int, seed: int, *, spread: float = 0.5) -> Workload:
    """Mixed runs, three of four in batches, submitted over `spread` of the time that all CPUs need for them."""
    dice = random.Random(seed)
    specs, made = cluster(nodes), list(_submissions(runs, dice))
    durations = {run.run_id: _duration(dice) for submission in made for run in submission.runs}
    busy = sum(run.request.cpu_milli * durations[run.run_id] for each in made for run in each.runs)
    until = int(busy / sum(spec.cpu_milli for spec in specs) * spread)
    over_time = sorted((replace(each, at=dice.randint(0, until)) for each in made), key=lambda s: s.at)
    return Workload(specs, over_time, durations)


def packing(runs: int, nodes: int, seed: int) -> Workload:
    """Single runs of one priority, mixed as those of `generate`, submitted at once; none takes longer than 10 minutes.

    What is left between makespan and bound is how well runs are packed: there is always something to choose from,
    and the longest run is short beside the whole.
    """
    dice = random.Random(seed)
    made = [
        QueuedRun(RunId(f"run-{number:07}"), _request(dice), f"module-{dice.randrange(8)}")
        for number in range(runs)
    ]
    durations = {run.run_id: min(10 * 60 * SECOND, _duration(dice)) for run in made}
    return Workload(cluster(nodes), [Submission(0, (run,)) for run in made], durations)


def _submissions(runs: int, dice: random.Random) -> Iterator[Submission]:
    """Batches have heavy-tailed sizes; all runs of one ask for the same, as they do in a sweep."""
    number, largest = 0, max(1, min(2_000, runs // 10))
    while number < runs:
        is_batch = dice.random() < 0.1
        size = min(runs - number, largest, int(8 * dice.paretovariate(1.2))) if is_batch else 1
        batch = BatchSpec(batch_id=BatchId(f"batch-{number}")) if is_batch else None
        request, module = _request(dice), f"module-{dice.randrange(8)}"
        priority = dice.choices((0, 1, 5), weights=(80, 15, 5))[0]
        batch_id = batch.batch_id if batch else None
        ids = (RunId(f"run-{i:07}") for i in range(number, number + size))
        yield Submission(0, tuple(QueuedRun(i, request, module, batch_id, priority) for i in ids), batch)
        number += size


def _request(dice: random.Random) -> Request:
    kind = dice.choices(("small", "large", "memory", "share", "vram", "whole"), (50, 12, 6, 14, 8, 10))[0]
    if kind == "small":
        return _asked(dice.choice((0.5, 1, 2, 4)), dice.choice((1, 2, 4, 8)))
    if kind == "large":
        return _asked(dice.choice((8, 16, 32)), dice.choice((16, 32, 64)))
    if kind == "memory":
        return _asked(1, dice.choice((48, 96, 128)))
    if kind == "share":
        return _asked(1, 4, dice.choice((0.25, 0.5)), dice.choice((4, 8, 12)))
    if kind == "vram":
        return _asked(2, 8, 0, dice.choice((6, 10, 20)))
    return _asked(4, 16, dice.choices((1, 2, 4, 8), (60, 20, 15, 5))[0], dice.choice((0, 16, 40)))


def _asked(cpus: float, gib: float, gpus: float = 0, gpu_gib: float = 0) -> Request:
    return Request(
        cpu_milli=int(cpus * WHOLE),
        memory_bytes=int(gib * GIB),
        gpu_milli=int(gpus * WHOLE),
        gpu_memory_bytes=int(gpu_gib * GIB),
    )


def _duration(dice: random.Random) -> int:
    """Four of five lognormal with a median of a minute, the others Pareto; none beyond two hours."""
    is_pareto = dice.random() < 0.2
    seconds = 60 * dice.paretovariate(1.3) if is_pareto else dice.lognormvariate(4.1, 1.5)
    return max(SECOND // 10, min(LONGEST, int(seconds * SECOND)))


def recorded(database: Path, nodes: Sequence[NodeSpec]) -> tuple[Workload, int]:
    """Read what ran from a database, as it was submitted; return it, and how many runs no node could hold.

    Runs that never started are left out; a run that came after one that is left out does not wait for it.
    """
    reader = StoreReader(database)
    known, left_out = dict[RunId, tuple[int, QueuedRun, int]](), 0
    ledgers = [NodeLedger(spec) for spec in nodes]
    for at, run, duration in _history(reader):
        if any(ledger.could_hold(run.request) for ledger in ledgers):
            known[run.run_id] = at, run, duration
        else:
            left_out += 1
    first = min((at for at, _, _ in known.values()), default=0)
    rows = ((at - first, _among(run, known)) for at, run, _ in known.values())
    submissions = list(_gathered(rows, reader))
    reader.close()
    return Workload(nodes, submissions, {key: each[2] for key, each in known.items()}), left_out


def _history(reader: StoreReader) -> Iterator[tuple[int, QueuedRun, int]]:
    """Yield when each run that ran and ended was submitted, and how long it took, oldest first."""
    ended = [status for status in Status if status.is_ended]
    offset, requests = 0, dict[Request, Request]()
    while page := reader.runs(RunFilter(statuses=ended, sort="created_at"), PAGE, offset)[0]:
        offset += len(page)
        specs = reader.specs([row["run_id"] for row in page])
        for row in page:
            spec = specs.get(row["run_id"])
            if spec is not None and row["started_at"] is not None:
                request = requests.setdefault(spec.request, spec.request)
                run = QueuedRun(
                    spec.run_id, request, spec.module_id, spec.batch_id, spec.priority, spec.after
                )
                yield _microseconds(row["created_at"]), run, int(row["duration_seconds"] * SECOND)


def _microseconds(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def _among(run: QueuedRun, known: Mapping[RunId, Any]) -> QueuedRun:
    return replace(run, after=tuple(run_id for run_id in run.after if run_id in known)) if run.after else run


def _gathered(rows: Iterable[tuple[int, QueuedRun]], reader: StoreReader) -> Iterator[Submission]:
    """Put together again what was submitted in one call."""
    groups: dict[tuple[int, BatchId | None], list[QueuedRun]] = {}
    for at, run in rows:
        groups.setdefault((at, run.batch_id), []).append(run)
    for (at, batch_id), runs in sorted(groups.items(), key=lambda each: each[0][0]):
        spec = reader.batch_spec(batch_id) if batch_id is not None else None
        # Every simulated run completes, so a limit of failures has nothing to count.
        yield Submission(at, tuple(runs), replace(spec, max_failures=None) if spec else None)
