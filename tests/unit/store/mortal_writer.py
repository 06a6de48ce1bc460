"""A process that writes into a store as fast as it can, says what was acknowledged, and is killed in the middle."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import deque
from pathlib import Path

from runyard_actors.store import StoreWriter
from runyard_cluster.database_url import POSTGRES, PostgresUrl
from tests.unit.store.making import life, specs, submitted


def acknowledged_before_a_kill(place: str, *, at_least: int) -> list[list[str]]:
    """Return the ids of each call that was acknowledged, three runs each; the first of them completed in it."""
    command = [sys.executable, "-m", "tests.unit.store.mortal_writer", place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(at_least)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    return [line.split() for line in told if line.endswith("\n")]


def main(place: str) -> None:
    """Write until this process is killed."""
    where = PostgresUrl(place) if place.startswith(POSTGRES) else Path(place)
    writer, pending = StoreWriter(where), deque()
    while True:
        runs = specs(3)
        pending.append((runs, writer.write([submitted(runs), *life(runs[0])])))
        while len(pending) > 20 or (pending and pending[0][1].done()):
            runs, future = pending.popleft()
            future.result()
            print(*(run.run_id for run in runs), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
