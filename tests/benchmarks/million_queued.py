"""Queue a million runs on a whole server with a real Ray: what that takes and holds, and what it costs who starts.

    python tests/benchmarks/million_queued.py [--runs 1000000] [--started 2000]

Runs are submitted over REST in batches, while nothing starts. Printed is how long it takes until all are durable, what
server and manager hold for each (PSS), and what a run costs then, from its start to its end, beside what it cost
before, with none queued behind it.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.load_memory import pss_bytes
from tests.integration.conftest import TestSession, embedded
from tests.integration.test_crash import manager_process

SETTINGS = "max_concurrent_runs = 10\ncpu_busy_percent = 0\n"
RUN = {"command": ["/bin/true"], "num_cpus": 0.01, "memory": "16MiB"}
BATCH = 10_000
LOOK_SECONDS = 0.02


def main() -> None:
    """Serve, queue, start some, print."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--runs", type=int, default=1_000_000)
    options.add_argument("--started", type=int, default=2_000)
    asked = options.parse_args()
    with embedded(SETTINGS) as session:
        session.client.submit_batch({"runs": [RUN] * asked.started})
        before = _cost(session, asked.started)
        session.client.pause()
        server, manager = session.server()["pid"], manager_process(session).pid
        held = [pss_bytes(server), pss_bytes(manager)]
        begin = time.perf_counter()
        for _ in range(asked.runs // BATCH):
            session.client.submit_batch({"runs": [RUN] * BATCH})
        took = time.perf_counter() - begin
        more = [pss_bytes(pid) - was for pid, was in zip((server, manager), held, strict=True)]
        print(f"{asked.runs:,} runs durable after {took:.1f} s")
        print(
            f"bytes for each: server {more[0] / asked.runs:.0f}, manager {more[1] / asked.runs:.0f}",
            flush=True,
        )
        session.client.resume()
        after = _cost(session, 2 * asked.started)
        session.client.pause()
    print(f"milliseconds a run: {before:.2f} before, {after:.2f} with all of them queued")


def _cost(session: TestSession, until: int) -> float:
    """Return the milliseconds that each run takes until so many have ended in all."""
    begin, first = time.perf_counter(), _ended(session)
    while (ended := _ended(session)) < until:
        time.sleep(LOOK_SECONDS)
    return (time.perf_counter() - begin) / (ended - first) * 1e3


def _ended(session: TestSession) -> int:
    return int(session.client.runs(status=["completed"], limit=1)["total"])


if __name__ == "__main__":
    main()
