"""Measure what submitting costs, over REST, on a real server with a real Ray, and print it.

    python tests/benchmarks/submit_storm.py [--runs 5000] [--clients 50] [--batch 10000]

Each answer means: on disk. First admission is paused, so that it is submits that are measured, then runs start
meanwhile. The clients share one process; what it costs is told, too.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.integration.conftest import TestSession, embedded
from tests.lean_http import LeanHttp, from_clients
from tests.support import processes_naming

RUN = {"command": ["true"], "memory": "1MiB", "num_cpus": 0.1}
SETTINGS = "max_concurrent_runs = 4\ncpu_busy_percent = 0\n"


def main() -> None:
    """Serve, submit, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=5_000)
    options.add_argument("--clients", type=int, default=50)
    options.add_argument("--batch", type=int, default=10_000)
    chosen = options.parse_args()
    with embedded(SETTINGS) as session:
        session.client.pause()
        measured(session, "warming up", chosen.runs // 10, chosen.clients)
        measured(session, "nothing starts", chosen.runs, chosen.clients)
        measured(session, "one client", chosen.runs // 10, 1)
        begin = time.perf_counter()
        session.client.submit_batch({"runs": [RUN] * chosen.batch})
        print(f"a batch of {chosen.batch:,}: {time.perf_counter() - begin:.2f} s")
        session.client.resume()
        measured(session, "runs start meanwhile", chosen.runs, chosen.clients)
        measured(session, "runs start meanwhile, one client", chosen.runs // 10, 1)
        session.client.pause()


def measured(session: TestSession, name: str, runs: int, clients: int) -> None:
    """Submit from that many clients, and print how many a second, how long each took, and who used the CPU."""
    before = cpu_seconds(session)
    begin = time.perf_counter()
    waits = asyncio.run(storm(session, runs, clients, name))
    seconds = time.perf_counter() - begin
    after = cpu_seconds(session)
    cuts = [c * 1e3 for c in statistics.quantiles(waits, n=100)]
    print(f"{name}: {runs:,} submits from {clients} clients, {runs / seconds:,.0f} a second")
    print(f"  one submit: p50 {cuts[49]:.1f} ms, p95 {cuts[94]:.1f} ms, p99 {cuts[98]:.1f} ms")
    used = (f"{who} {(after[who] - before[who]) / runs * 1e3:.2f}" for who in before)
    print(f"  CPU ms a submit: {', '.join(used)}", flush=True)


def cpu_seconds(session: TestSession) -> dict[str, float]:
    """Return the CPU seconds used so far by clients, server, manager and the rest of Ray."""
    server = psutil.Process(session.server()["pid"])
    ray = processes_naming(str(session.data_dir.ray_temp))
    manager = [p for p in psutil.process_iter(["cmdline"]) if is_manager(p, ray)]
    return {
        "clients": time.process_time(),
        "server": used_by(server),
        "manager": sum(map(used_by, manager)),
        "Ray": sum(map(used_by, ray)),
    }


def is_manager(process: psutil.Process, ray: list[psutil.Process]) -> bool:
    """Return whether it is the RunManager of this Ray: its title names the actor."""
    command = process.info["cmdline"] or [""]
    return "RunManager" in command[0] and process.ppid() in {p.pid for p in ray}


def used_by(process: psutil.Process) -> float:
    """Return the CPU seconds of a process, 0 when it is gone."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


async def storm(session: TestSession, runs: int, clients: int, name: str) -> list[float]:
    """Submit from that many connections at once; return the seconds each submit took."""
    waits: list[float] = []

    async def submit(http: LeanHttp, number: int) -> None:
        begin = time.perf_counter()
        status, answer = await http.post("/api/runs", RUN, f"{name} {number}")
        waits.append(time.perf_counter() - begin)
        assert status == 202, answer

    await from_clients(session.client.url, session.data_dir.token(), clients, range(runs), submit)
    return waits


if __name__ == "__main__":
    main()
