"""Measure what submitting costs, over REST, on a real server with a real Ray, and print it.

    python tests/benchmarks/submit_storm.py [--runs 2000] [--clients 50] [--batch 10000]

Admission is paused, so that it is submits that are measured. Each answer means: on disk.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.integration.conftest import TestSession, embedded

RUN = {"command": ["true"], "memory": "1MiB", "num_cpus": 0.1}
LIMIT_SECONDS = 120.0


def main() -> None:
    """Serve, submit, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=2_000)
    options.add_argument("--clients", type=int, default=50)
    options.add_argument("--batch", type=int, default=10_000)
    chosen = options.parse_args()
    with embedded("cpu_busy_percent = 0\n") as session:
        session.client.pause()
        seconds, waits = asyncio.run(storm(session, chosen.runs, chosen.clients))
        cuts = [c * 1e3 for c in statistics.quantiles(waits, n=100)]
        print(f"{chosen.runs:,} submits from {chosen.clients} clients: {chosen.runs / seconds:,.0f} a second")
        print(f"one submit: p50 {cuts[49]:.0f} ms, p95 {cuts[94]:.0f} ms, p99 {cuts[98]:.0f} ms")
        alone = [c * 1e3 for c in asyncio.run(storm(session, 100, 1))[1]]
        print(f"one submit with nobody else: p50 {statistics.median(alone):.0f} ms, max {max(alone):.0f} ms")
        start = time.perf_counter()
        session.client.submit_batch({"runs": [RUN] * chosen.batch})
        print(f"a batch of {chosen.batch:,}: {time.perf_counter() - start:.2f} s")


async def storm(session: TestSession, runs: int, clients: int) -> tuple[float, list[float]]:
    """Submit from that many connections at once; return the seconds it took, and those of each submit."""
    headers = {"Authorization": f"Bearer {session.data_dir.token()}"}
    waits: list[float] = []
    numbers = iter(range(runs))

    async def submit_some(http: httpx.AsyncClient) -> None:
        for number in numbers:
            start = time.perf_counter()
            key = {"Idempotency-Key": f"{clients} clients, {number}"}
            (await http.post("/api/runs", json=RUN, headers=key)).raise_for_status()
            waits.append(time.perf_counter() - start)

    url, limits = session.client.url, httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(
        base_url=url, headers=headers, trust_env=False, timeout=LIMIT_SECONDS, limits=limits
    ) as http:
        start = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(submit_some(http))
        return time.perf_counter() - start, waits


if __name__ == "__main__":
    main()
