"""Other schedulers that run the same commands, as far as they are installed: what each is, and how it is asked.

Each keeps at most `limit` commands running, and returns from `batch` once all have ended. What they hold on disk, limit
and survive differs; only what they cost is compared.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from typing import Any

#: Runs a command so many times.
Batch = Callable[[Sequence[str], int], None]
Peer = Callable[[int], AbstractContextManager[Batch]]


def installed() -> dict[str, Peer]:
    """Return those that can be had here, by name."""
    peers: dict[str, Peer] = {"a Ray task for each run": ray_tasks, "threads in one Ray actor": ray_actor}
    if find_spec("distributed"):
        peers["Dask"] = dask
    return peers


def starter() -> Callable[[Sequence[str]], int]:
    """Return what starts a command whose output goes nowhere, and returns its exit code; it travels to any process."""

    def start(command: Sequence[str]) -> int:

        nothing = subprocess.DEVNULL
        return subprocess.run(
            command, stdin=nothing, stdout=nothing, stderr=subprocess.STDOUT, check=False
        ).returncode

    return start


@contextmanager
def _ray(limit: int) -> Iterator[Any]:
    import ray

    with tempfile.TemporaryDirectory(prefix="ry-", dir="/tmp") as folder:
        ray.init(
            num_cpus=limit,
            include_dashboard=False,
            object_store_memory=100_000_000,
            log_to_driver=False,
            _temp_dir=folder,
        )
        try:
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def ray_tasks(limit: int) -> Iterator[Batch]:
    """A task for each run, which starts it and waits."""
    with _ray(limit) as ray:
        task = ray.remote(starter())

        def batch(command: Sequence[str], count: int) -> None:
            ray.get([task.remote(command) for _ in range(count)])

        yield batch


@contextmanager
def ray_actor(limit: int) -> Iterator[Batch]:
    """One actor with as many threads as runs may be active."""
    with _ray(limit) as ray:

        @ray.remote(max_concurrency=limit)
        class Runner:
            def __init__(self, start: Callable[[Sequence[str]], int]) -> None:
                self.start = start

            def run(self, command: Sequence[str]) -> int:
                return self.start(command)

        runner = Runner.remote(starter())

        def batch(command: Sequence[str], count: int) -> None:
            ray.get([runner.run.remote(command) for _ in range(count)])

        yield batch


@contextmanager
def dask(limit: int) -> Iterator[Batch]:
    """A local cluster of two processes with threads."""
    from distributed import Client, LocalCluster

    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(
            n_workers=2, threads_per_worker=limit // 2, dashboard_address=None, local_directory=folder
        ) as cluster,
        Client(cluster) as client,
    ):
        start = starter()

        def batch(command: Sequence[str], count: int) -> None:
            client.gather(client.map(start, [command] * count, pure=False))

        yield batch
