"""A Ray cluster of several nodes on this machine: real `ray start` nodes, each at an address of its own.

The addresses are loopback ones, or those of a network whose links can be cut.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psutil

from tests.support import name_of, the_one, wait_until

#: Starting one node takes seconds, and tens of them on a machine that is busy.
START_SECONDS = 120.0


class Where(Protocol):
    """Where nodes 1, 2, … are: their addresses, and what a command is preceded by to run there."""

    def address(self, node: int) -> str:
        """Return a node's address."""
        ...

    def inside(self, node: int) -> list[str]:
        """Return the words that start a command on a node."""
        ...


class Loopback:
    """All of them on this machine, at 127.0.0.1 and after."""

    def address(self, node: int) -> str:
        """Return a node's address."""
        return f"127.0.0.{node}"

    def inside(self, node: int) -> list[str]:
        """Return nothing: they are all here."""
        return []


class RayNode:
    """One node, and all processes of it."""

    def __init__(
        self, temp: Path, address: str, inside: Sequence[str], environ: Mapping[str, str], python: str
    ) -> None:
        self.temp = temp
        self.address = address
        self._python = python
        self._inside = inside
        self._environ = environ

    def start(self, *options: str) -> None:
        """Start it, and wait until it has joined."""
        command = [
            *(*self._inside, self._python, "-m", "ray.scripts.scripts", "start", *options),
            *(f"--node-ip-address={self.address}", "--include-log-monitor=false", "--disable-usage-stats"),
            *("--object-store-memory=80000000", "--min-worker-port=0", "--max-worker-port=0"),
            *("--dashboard-agent-listen-port=0", "--log-style=record", "--log-color=false"),
        ]
        done = subprocess.run(
            command, env=dict(self._environ), capture_output=True, text=True, timeout=START_SECONDS
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    def processes(self) -> list[psutil.Process]:
        """Return Ray's processes of this node that live; runs and their shims are none of them."""
        found = []
        for process in psutil.process_iter():
            try:
                environ = process.environ()
                is_run = process.name().startswith("runyard-shim") or "RUNYARD_NONCE" in environ
                is_mine = environ.get("RY_NODE") == self._environ["RY_NODE"]
                if is_mine and not is_run and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def raylet(self) -> psutil.Process:
        """Return the process that a node stands and falls with."""
        return the_one([p for p in self.processes() if name_of(p) == "raylet"])

    def kill(self) -> None:
        """End all of it at once, as by a power cut, less the runs: those of a machine that is cut off go on."""
        for process in self.processes():
            _kill(process)

    def freeze(self, *, is_frozen: bool) -> None:
        """Cut it off: nothing of Ray on it answers, and nothing ends. Or let it be heard of again."""
        for process in self.processes():
            try:
                process.send_signal(signal.SIGSTOP if is_frozen else signal.SIGCONT)
            except psutil.NoSuchProcess:
                continue


class RayCluster:
    """A head, and further nodes at the addresses after its own."""

    def __init__(self, folder: Path, where: Where, environ: Mapping[str, str], python: str) -> None:
        self.folder = folder
        self._where = where
        self._python = python
        self.environ = dict(environ)
        self.nodes: list[RayNode] = []
        self.gcs = ""

    def start_head(self, port: int, *, cpus: int) -> None:
        """Start the node that all others join."""
        head = self._node({})
        self.gcs = f"{head.address}:{port}"
        head.start(
            *("--head", f"--port={port}", "--no-monitor", "--include-dashboard=false"),
            *(
                f"--num-cpus={cpus}",
                "--num-gpus=0",
                "--memory=1000000000",
                f"--ray-client-server-port={_free_port()}",
            ),
            *("--temp-dir", str(head.temp)),
        )

    def start_node(self, name: str, *, cpus: int, labels: str = "", **environ: str) -> RayNode:
        """Start one more node under a name, with labels as `ray start` takes them; its variables are its own."""
        node = self._node(environ)
        self.start_again(node, name, cpus=cpus, labels=labels)
        return node

    def start_again(self, node: RayNode, name: str, *, cpus: int, labels: str = "") -> None:
        """Start a node's Ray, also after it was killed."""
        node.start(
            *(f"--address={self.gcs}", f"--node-name={name}", f"--num-cpus={cpus}", "--num-gpus=0"),
            *("--memory=1000000000", "--temp-dir", str(node.temp), f"--labels={labels}"),
        )

    def stop(self) -> None:
        """End all nodes, and wait until nothing of them is left."""
        for node in reversed(self.nodes):
            node.freeze(is_frozen=False)
            node.kill()
        wait_until(lambda: not any(n.processes() for n in self.nodes), 60, "nothing of the cluster is left")

    def _node(self, environ: Mapping[str, str]) -> RayNode:
        number = len(self.nodes) + 1
        temp = self.folder / f"n{number}"
        variables = {**self.environ, **environ, "RY_NODE": str(temp)}
        node = RayNode(temp, self._where.address(number), self._where.inside(number), variables, self._python)
        self.nodes.append(node)
        return node


@contextmanager
def ray_cluster(
    *, head_cpus: int, where: Where | None = None, python: str = sys.executable
) -> Iterator[RayCluster]:
    """Lend a cluster that has a head and nothing else; the caller's environment becomes that of its drivers.

    The nodes are at loopback addresses, or `where` it says. Ray is that of `python`, and so is runyard there.
    """
    folder = Path(tempfile.mkdtemp(prefix="ryc-", dir="/tmp"))
    token = folder / "token"
    token.write_text(os.urandom(32).hex())
    token.chmod(0o600)
    variables = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",
        "RAY_memory_monitor_refresh_ms": "0",
        "RAY_raylet_start_wait_time_s": "120",
        "RAY_worker_niceness": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_gcs_mark_task_failed_on_job_done_delay_ms": "1000000000000",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    environ = {k: v for k, v in os.environ.items() if python == sys.executable or k != "PYTHONPATH"}
    cluster = RayCluster(folder, where or Loopback(), environ, python)
    try:
        cluster.start_head(_free_port(), cpus=head_cpus)
        yield cluster
    finally:
        cluster.stop()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
