"""What it costs to watch active runs: the CPU time of a manager that does nothing else, by the number of its runs.

    python tests/benchmarks/watch_cost.py

Every run is real: a supervisor and a process that sleeps. Server and manager live in this process, so what is measured
is their whole CPU time, everything that looks once a second included; Ray is left out, and nobody asks for anything.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from runyard_cluster.trees import process_rows
from tests.in_process import CAPACITY, InProcess, in_process
from tests.support import wait_until

#: Runs need a moment after their start until nothing of it is left to do.
SETTLE_SECONDS = 3.0


def main() -> None:
    """Measure for each number of runs in turn, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[0, 50, 200])
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each is measured")
    asked = parser.parse_args()
    print("| active runs | processes of the machine | CPU of one core | per run |")
    print("| ---: | ---: | ---: | ---: |")
    idle = 0.0
    with tempfile.TemporaryDirectory(prefix="ry-watch-") as folder:
        roomy = replace(CAPACITY, cpu_milli=10_000_000, memory_bytes=2**45)
        with in_process(Path(folder), capacity=roomy, max_concurrent_runs=10_000, grace="1s") as server:
            active = 0
            for wanted in sorted(asked.runs):
                start(server, wanted - active)
                active = wanted
                share = measured(asked.seconds)
                idle = idle if active else share
                each = f"{(share - idle) / active:.4%}" if active else ""
                print(f"| {active} | {len(process_rows())} | {share:.2%} | {each} |", flush=True)


def start(server: InProcess, count: int) -> None:
    """Start that many more runs, and wait until all run."""
    if not count:
        return
    run = {"command": ["sleep", "3600"], "num_cpus": 0.01, "memory": "16MiB"}
    with server.client() as client:
        client.submit_batch({"runs": [run] * count})
        active = server.manager._yard.active
        wait_until(lambda: all(a.is_started for a in active.values()) and active, 600, "all run")
        wait_until(lambda: client.runs(status=["queued"], limit=1)["total"] == 0, 600, "none waits")


def measured(seconds: float) -> float:
    """Return the share of one core that this process used for so long."""
    time.sleep(SETTLE_SECONDS)
    began, used = time.monotonic(), time.process_time()
    time.sleep(seconds)
    return (time.process_time() - used) / (time.monotonic() - began)


if __name__ == "__main__":
    main()
