"""A yard of three nodes of a real Ray, with a network between them that can be cut."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.oracle import Ground, Verdict, judge
from tests.integration.conftest import TestSession, embedded
from tests.ray_cluster import RayCluster, RayNode, ray_cluster
from tests.support import processes_with, wait_until
from tests.wire import Network, network

#: Runs at once: two on each node.
SLOTS = 6
_SETTINGS = """
ray_address = "{}"
node_timeout = "{:g}s"
fence_nodes = {}
cpu_busy_percent = 0
reserve_memory = "64MiB"
max_concurrent_runs = {}
"""
#: Says where it is, and waits for the gate of its node.
_HELD = """
where = os.environ.get("WHERE", "head")
print(where, flush=True)
while not os.path.exists(sys.argv[2] + "-" + where): time.sleep(0.02)
print("end")
"""


class ThreeNodes:
    """The head, where the server is, and `ws2` and `ws3`, which keep their data on disks of their own."""

    def __init__(self, wire: Network, cluster: RayCluster, session: TestSession, ground: Ground) -> None:
        self.wire, self.session = wire, session
        self._cluster, self._ground = cluster, ground
        for name in ("ws2", "ws3"):
            cluster.start_node(name, cpus=2, RUNYARD_DATA_DIR=str(ground.folder / name), WHERE=name)
        wait_until(lambda: self.is_up("ws2") and self.is_up("ws3"), 90, "both nodes have joined")

    @property
    def far(self) -> RayNode:
        """The node ws3, as Ray's."""
        return self._cluster.nodes[2]

    def start_far_again(self) -> None:
        """Start Ray on ws3, which has none."""
        self._cluster.start_again(self.far, "ws3", cpus=2)

    def is_up(self, name: str) -> bool:
        """Whether runs may start on a node."""
        nodes = self.session.client.resources()["nodes"]
        return any(node["node"] == name and node["guard"] is None for node in nodes)

    def wait_until_ray_gives_up(self, name: str) -> None:
        """Return once Ray itself counts with a node no more: that takes it a minute."""
        import ray

        ray.init(address=self._cluster.gcs, log_to_driver=False, logging_level=logging.ERROR)
        try:
            wait_until(lambda: name not in _alive(ray), 150, f"Ray has given {name} up")
        finally:
            ray.shutdown()

    def told(self) -> str:
        """Return what manager and agents had to say last."""
        found = sorted(self._cluster.folder.glob("n*/session_latest/logs/worker-*.err"))
        return "\n".join(f"{path}:\n{path.read_text('utf-8', 'replace')[-6000:]}" for path in found)

    def held(self, then: str = "", **fields: Any) -> dict[str, Any]:
        """Return a run that notes its start, says where it is and waits for the gate of that node."""
        return {"command": self._ground.command(_HELD + then), "num_cpus": 1, "memory": "64MiB", **fields}

    def open_gate(self, *nodes: str) -> None:
        """Let the runs on these nodes go on, now and later."""
        for name in nodes:
            self._ground.gate.with_name(f"gate-{name}").touch()

    def is_log_here(self, run_id: str) -> bool:
        """Whether what a run printed on another node is on the head's disk, though nobody asked for it."""
        found = self.session.data_dir.runs.glob(f"*/{run_id}/*/output.log")
        return any(path.stat().st_size for path in found)

    def starts(self, run_id: str) -> dict[int, int]:
        """Return how often each attempt of a run started."""
        return {attempt: times for (run, attempt), times in self._ground.noted().items() if run == run_id}

    def verdict(self) -> Verdict:
        """Judge all that happened, once all runs have ended."""
        data_dir = self.session.data_dir
        ids = [run["run_id"] for run in self.session.client.runs(limit=1000)["runs"]]
        return judge(self._ground, data_dir.database, data_dir.runs, ids, SLOTS)


def processes_of(run_id: str, attempt: int = 1) -> list[Any]:
    """Return what lives of an attempt, wherever it is."""
    return processes_with({"RUNYARD_RUN_ID": run_id, "RUNYARD_ATTEMPT": str(attempt)})


@contextmanager
def three_nodes(folder: Path, *, node_timeout: float, fence_nodes: bool = False) -> Iterator[ThreeNodes]:
    """Lend a yard of three nodes; one that is silent for `node_timeout` seconds is lost."""
    fence = "true" if fence_nodes else "false"
    with (
        network(3) as wire,
        ray_cluster(head_cpus=2, where=wire) as cluster,
        embedded(_SETTINGS.format(cluster.gcs, node_timeout, fence, SLOTS)) as session,
    ):
        yard = ThreeNodes(wire, cluster, session, Ground(folder))
        try:
            yield yard
        except BaseException:
            print(yard.told())
            raise
        finally:
            yard.open_gate("head", "ws2", "ws3")


def _alive(ray: Any) -> set[str]:
    return {node["NodeName"] for node in ray.nodes() if node["Alive"]}
