"""Measure what one RunManager takes for runs on other nodes, in CPU time: all of it is real but Ray and the runs.

    python tests/benchmarks/bench_manager.py [--nodes 100] [--runs 5000] [--idle 10]

Nodes are stand-ins that tell of each run's start and end at once, so what is measured is the manager: scheduling, the
store with its commits on disk, the talk with each node, and the server that takes the batch. What Ray takes for each
call is not in it; see docs/SCALE.md.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from runyard_actors.assignment import Assignment, Started
from runyard_actors.manager.follow_nodes import ClusterNode
from runyard_actors.nodes.line import Agent
from runyard_actors.nodes.messages import News, NodeFacts
from runyard_actors.run import Outcome
from runyard_cluster.capacity import Capacity, Use
from tests.in_process import InProcess, in_process
from tests.support import wait_until

GIB = 2**30


class InstantNode:
    """A node whose runs have ended when they are handed over."""

    def __init__(self, name: str, cpus: int) -> None:
        self.capacity = Capacity(node=name, cpu_milli=cpus * 1000, memory_bytes=64 * GIB, gpus=())
        self.calls = 0
        self._news: list[News] = []
        self._numbers = itertools.count(1)
        self._has_news = asyncio.Event()

    async def call(self, method: str, *args: Any) -> Any:
        """Answer as an agent does; there is never anything to stop or to end."""
        self.calls += 1
        if method == "facts":
            return self._facts(args[0])
        if method == "use":
            return Use(cpu_busy_percent=0.0, memory_free_bytes=64 * GIB)
        if method == "keep":
            return self._keep(args[0])
        return await self._tell(args[1], args[2]) if method == "news" else []

    def _facts(self, epoch: int) -> NodeFacts:
        told = {"boot_id": "boot", "runs": "/", "incarnation": str(epoch)}
        return NodeFacts(capacity=self.capacity, is_shared=True, **told)

    def _keep(self, assignments: Sequence[Assignment]) -> None:
        now = time.time_ns() // 1000
        for each in assignments:
            ids = {"run_id": each.run_id, "attempt": each.attempt}
            started = Started(**ids, pid=1, shim_pid=1, started_at=now, enforcement={})
            outcome = Outcome(ended_at=now, exit_code=0, started_at=now)
            key = (each.run_id, each.attempt)
            self._news.append(News(number=next(self._numbers), key=key, started=started, outcome=outcome))
        self._has_news.set()

    async def _tell(self, seen: int, limit: float) -> list[News]:
        self._news = [news for news in self._news if news.number > seen]
        if not self._news:
            self._has_news.clear()
            try:
                await asyncio.wait_for(self._has_news.wait(), limit)
            except TimeoutError:
                return []
        return list(self._news)


class InstantCluster:
    """So many of them."""

    def __init__(self, count: int, cpus: int) -> None:
        self.by_name = {f"n{i:05}": InstantNode(f"n{i:05}", cpus) for i in range(count)}
        self._nodes = [
            ClusterNode(name=name, ray_id=name, cpu_milli=cpus * 1000, memory_bytes=64 * GIB, gpus=0)
            for name in self.by_name
        ]

    async def nodes(self) -> Sequence[ClusterNode]:
        """Return all of them."""
        return self._nodes

    async def agent(self, node: ClusterNode) -> Agent:
        """Return the node itself."""
        return self.by_name[node.name]


def measure(nodes: int, runs: int, idle: float) -> None:
    """Serve a yard of so many nodes; print what it takes at rest, and for each run."""
    cluster = InstantCluster(nodes, cpus=16)
    with tempfile.TemporaryDirectory() as folder:
        settings = {"ray_address": "auto", "max_concurrent_runs": 16 * nodes, "node_timeout": "10m"}
        with in_process(Path(folder), cluster=cluster, **settings) as server:
            joined = time.process_time()
            wait_until(lambda: _are_up(server, nodes), 600, "all nodes have joined")
            joined = time.process_time() - joined
            rest = _at_rest(idle)
            print(
                f"{nodes:6,} nodes: {joined / nodes * 1e3:6.2f} ms each to join, at rest {rest:6.2%} of a core"
            )
            if runs:
                _drain(server, runs)


def _are_up(server: InProcess, nodes: int) -> bool:
    others = server.manager._yard.others
    return len(others) == nodes and all(node.line.is_open.is_set() for node in others.values())


def _at_rest(seconds: float) -> float:
    """Return the share of a core that is used while nothing happens."""
    began, used = time.monotonic(), time.process_time()
    wait_until(lambda: time.monotonic() - began >= seconds, seconds + 60, "the time is over")
    return (time.process_time() - used) / (time.monotonic() - began)


def _drain(server: InProcess, runs: int) -> None:
    yard = server.manager._yard
    with server.session() as session:
        began, used = time.monotonic(), time.process_time()
        row = {"command": ["true"], "num_cpus": 1, "memory": "64MiB"}
        batch = session.submit_batch({"runs": [row] * runs}, None)
        accepted = time.process_time() - used
        wait_until(lambda: _is_done(server, batch.batch_id, runs), 3600, "all runs have ended")
        used, seconds = time.process_time() - used, time.monotonic() - began
    events = yard.reader.last_seq()
    print(
        f"        {runs:,} runs: {used / runs * 1e3:.2f} ms of CPU each, {accepted / runs * 1e3:.2f} of them to accept "
        f"it; {runs / used:,.0f} starts and {events / used:,.0f} events a second of CPU, {runs / seconds:,.0f} "
        f"and {events / seconds:,.0f} by the clock"
    )


def _is_done(server: InProcess, batch_id: str, runs: int) -> bool:
    time.sleep(0.2)
    found = server.manager._yard.reader.batch(batch_id)
    return found is not None and found["counts"]["completed"] == runs


def main() -> None:
    """Measure for each number of nodes."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--nodes", type=int, nargs="+", default=[100])
    options.add_argument("--runs", type=int, default=5_000)
    options.add_argument("--idle", type=float, default=10.0, help="seconds")
    chosen = options.parse_args()
    for nodes in chosen.nodes:
        measure(nodes, chosen.runs, chosen.idle)


if __name__ == "__main__":
    main()
