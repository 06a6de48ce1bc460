"""Fill a database with a history, through the writer, as the product does."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

from runyard_actors.ids import new_ids
from runyard_actors.request import Request
from runyard_actors.run import BatchId, BatchSpec, Outcome, Reason, RunId, RunSpec
from runyard_actors.store import StoreWriter
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


def fill(path: Path, runs: int) -> None:
    """Submit that many runs, and let all but the last thousand live and end."""
    writer, dice, start = StoreWriter(path), random.Random(7), time.process_time()
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
    spent = time.process_time() - start
    print(f"filled through the writer: {spent / runs * 1e6:.0f} us of CPU time for a run's whole life")


def new_specs(count: int) -> Iterator[RunSpec]:
    """Yield that many more, as those of the filling."""
    return _specs(0, count, random.Random(8))


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
