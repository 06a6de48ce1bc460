"""The Ray that runs hold their resources on: a head of our own, or a cluster that is there already."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import psutil

from runyard_cluster import ray_head
from runyard_cluster.capacity import Capacity, read_capacity
from runyard_cluster.data_dir import DataDir
from runyard_cluster.errors import UnavailableError
from runyard_cluster.gcs_keeper import GcsKeeper
from runyard_cluster.ray_token import TokenKeeper
from runyard_cluster.settings import Settings

log = logging.getLogger("runyard.ray")

#: The folder in Ray's own log folder under which runs' logs appear.
LOG_FOLDER = "runyard"
#: How often it is seen whether Ray's servers live, while this process becomes their driver.
LOOK_SECONDS = 0.5
_WHOLE = 1000


class RayCluster(Protocol):
    """What the server needs of Ray, whoever started it."""

    capacity: Capacity
    dashboard: str | None

    def bring_up(self) -> None:
        """Start or find Ray and become its driver. Raises UnavailableError."""
        ...

    def is_alive(self) -> bool:
        """Whether Ray still does its work."""
        ...

    def leave(self) -> None:
        """Stop being its driver, and stop what was started."""
        ...


class OwnRay:
    """A head that this server starts, on loopback, with a token and a temporary folder of its own."""

    def __init__(
        self, data_dir: DataDir, reserve_memory: int, *, has_dashboard: bool, keeps_gcs: bool = False
    ) -> None:
        self._data_dir = data_dir
        self._has_dashboard = has_dashboard
        self._gcs = GcsKeeper(data_dir.ray_temp / "gcs") if keeps_gcs else None
        self._address = ""
        self._servers: list[psutil.Process] = []
        # Before anything imports Ray, which reads some of these only then.
        self._token = TokenKeeper(data_dir)
        os.environ.update(ray_head.ray_environment(data_dir.ray_token_file))
        self.capacity = read_capacity(reserve_memory)
        self.dashboard: str | None = None

    def bring_up(self) -> None:
        """Start a fresh head; what is left of an earlier one of this data folder is ended first."""
        # It has nothing to finish: its server is gone, and what the store has is whole after a kill, too.
        ray_head.stop_head(self._data_dir.ray_temp, patience_seconds=0)
        self._token.keep()
        self._start_head(None)
        self._connect()

    def _start_head(self, address: str | None) -> None:
        temp = self._data_dir.ray_temp
        tables = self._gcs.begin() if self._gcs else {}
        head = ray_head.start_head(
            temp=temp,
            capacity=self.capacity,
            environ={**os.environ, **tables},
            has_dashboard=self._has_dashboard,
            address=address,
        )
        log.info("Ray is up at %s", head.gcs)
        self._address = head.gcs
        if self._gcs and (gcs := ray_head.server_of(temp, ray_head.GCS)):
            self._gcs.note(gcs)
        self.dashboard = head.dashboard
        _link_logs(temp / "session_latest" / "logs", self._data_dir.runs)
        self._servers = ray_head.servers_of(temp)

    def _connect(self) -> None:
        """Become the driver of the head.

        Ray waits up to a quarter of an hour for servers that die meanwhile, and nothing ends that wait but servers at
        the same address: they are started again there.
        """
        with ThreadPoolExecutor(1, "connect") as pool:
            connected = pool.submit(ray_head.connect, self._address)
            while wait([connected], LOOK_SECONDS).not_done:
                if not self._are_running():
                    log.error("Ray died while it was connected to; it is started again")
                    ray_head.stop_head(self._data_dir.ray_temp, patience_seconds=0)
                    try:
                        self._start_head(self._address)
                    except UnavailableError as error:
                        log.error("%s; tried again", error)
            connected.result()

    def _are_running(self) -> bool:
        return bool(self._servers) and all(map(ray_head.is_running, self._servers))

    def is_alive(self) -> bool:
        """Whether both of Ray's own servers run.

        They are looked for among all processes once, and known from then on: this is asked every other second.
        """
        self._token.keep_if_possible()
        temp = self._data_dir.ray_temp
        if not self._are_running():
            self._servers = ray_head.servers_of(temp)
            if not self._servers and self._has_gcs_again(temp):
                self._servers = ray_head.servers_of(temp)
        return bool(self._servers)

    def _has_gcs_again(self, temp: Path) -> bool:
        """Where only the GCS is gone, and its tables are not: start it again, and return whether that did."""
        raylet = ray_head.server_of(temp, ray_head.RAYLET) if self._gcs else None
        return bool(self._gcs and raylet and self._gcs.revive(lambda: ray_head.answers(self._address)))

    def leave(self) -> None:
        """Stop the head."""
        import ray

        ray.shutdown()
        # The manager has closed the store by now, and of Ray's own nothing outlives its head.
        ray_head.stop_head(self._data_dir.ray_temp, patience_seconds=1)


class JoinedRay:
    """A cluster that somebody else started; its own settings hold, authentication included."""

    def __init__(self, address: str, data_dir: DataDir, reserve_memory: int) -> None:
        self._address = address
        self._data_dir = data_dir
        self.capacity = read_capacity(reserve_memory)
        self.dashboard: str | None = None

    def bring_up(self) -> None:
        """Become a driver, and offer no more of this node than the cluster does."""
        ray = ray_head.join(self._address)
        node_id = ray.get_runtime_context().get_node_id()
        node = next(n for n in ray.nodes() if n["NodeID"] == node_id)
        offered = node["Resources"]
        self.capacity = replace(
            self.capacity,
            cpu_milli=min(self.capacity.cpu_milli, int(offered.get("CPU", 0) * _WHOLE)),
            memory_bytes=min(self.capacity.memory_bytes, int(offered.get("memory", 0))),
            gpus=self.capacity.gpus[: int(offered.get("GPU", 0))],
            labels=ray_head.labels_of(node),
        )
        log.info("joined the Ray at %s", self._address)

    def is_alive(self) -> bool:
        """Whether the cluster's head answers."""
        import ray

        return bool(ray.is_initialized()) and ray_head.answers(ray.get_runtime_context().gcs_address)

    def leave(self) -> None:
        """Stop being a driver; the cluster goes on."""
        import ray

        ray.shutdown()


def ray_for(settings: Settings, data_dir: DataDir, *, has_dashboard: bool) -> RayCluster:
    """Return the Ray that the setting `ray_address` names: "local" is a head of our own."""
    address, reserve_memory = settings.ray_address, settings.reserve_memory
    if address == "local":
        keeps_gcs = settings.ray_gcs_storage == "rocksdb"
        return OwnRay(data_dir, reserve_memory, has_dashboard=has_dashboard, keeps_gcs=keeps_gcs)
    return JoinedRay(address, data_dir, reserve_memory)


def _link_logs(ray_logs: Path, runs: Path) -> None:
    """Let the Ray dashboard list and stream runs' logs: it follows links in its own log folder."""
    try:
        (ray_logs / LOG_FOLDER).symlink_to(runs, target_is_directory=True)
    except OSError as error:
        log.warning("runs' logs do not show in the Ray dashboard: %s", error.strerror)
