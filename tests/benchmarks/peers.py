"""Other schedulers that run the same commands, as far as they are installed: what each is, and how it is asked.

Each keeps at most `limit` commands running, has the output of each in a file of its own, and returns from `batch` once
all have ended. What they hold on disk, limit and survive differs; only what they cost is compared.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

#: Runs a command so many times.
Batch = Callable[[Sequence[str], int], None]
Peer = Callable[[int], AbstractContextManager[Batch]]


def installed() -> dict[str, Peer]:
    """Return those that can be had here, by name."""
    peers: dict[str, Peer] = {"a Ray task for each run": ray_tasks, "threads in one Ray actor": ray_actor}
    others: tuple[tuple[str, str, Peer], ...] = (
        ("distributed", "Dask", dask),
        ("executorlib", "executorlib", executorlib),
        ("huey", "huey (SQLite)", huey),
        ("hyperqueue", "HyperQueue", hyperqueue),
    )
    return peers | {name: peer for package, name, peer in others if find_spec(package)}


def starter() -> Callable[[Sequence[str], str], int]:
    """Return what a user writes inside a task: run a command, its output into a file, and return its exit code.

    It is a function of no module, so it travels to processes that cannot import this one.
    """

    def start(command: Sequence[str], out: str) -> int:
        with open(out, "wb") as file:
            nothing = subprocess.DEVNULL
            return subprocess.run(
                command, stdin=nothing, stdout=file, stderr=subprocess.STDOUT, check=False
            ).returncode

    return start


@contextmanager
def _files() -> Iterator[Iterator[str]]:
    """Yield names of files, one for each run."""
    with tempfile.TemporaryDirectory(prefix="ry-", dir="/tmp") as folder:
        yield (f"{folder}/{number}.log" for number in itertools.count())


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
    with _ray(limit) as ray, _files() as files:
        task = ray.remote(starter())

        def batch(command: Sequence[str], count: int) -> None:
            ray.get([task.remote(command, next(files)) for _ in range(count)])

        yield batch


@contextmanager
def ray_actor(limit: int) -> Iterator[Batch]:
    """One actor with as many threads as runs may be active."""
    with _ray(limit) as ray, _files() as files:

        @ray.remote(max_concurrency=limit)
        class Runner:
            def __init__(self, start: Callable[[Sequence[str], str], int]) -> None:
                self.start = start

            def run(self, command: Sequence[str], out: str) -> int:
                return self.start(command, out)

        runner = Runner.remote(starter())

        def batch(command: Sequence[str], count: int) -> None:
            ray.get([runner.run.remote(command, next(files)) for _ in range(count)])

        yield batch


@contextmanager
def dask(limit: int) -> Iterator[Batch]:
    """A local cluster of two processes with threads."""
    from distributed import Client, LocalCluster

    with (
        _files() as files,
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(
            n_workers=2, threads_per_worker=limit // 2, dashboard_address=None, local_directory=folder
        ) as cluster,
        Client(cluster) as client,
    ):
        task = starter()

        def batch(command: Sequence[str], count: int) -> None:
            outs = [next(files) for _ in range(count)]
            client.gather(client.map(task, [command] * count, outs, pure=False))

        yield batch


@contextmanager
def executorlib(limit: int) -> Iterator[Batch]:
    """As many worker processes as runs may be active, which stay."""
    from executorlib import SingleNodeExecutor

    with _files() as files, SingleNodeExecutor(max_workers=limit, block_allocation=True) as executor:
        task = starter()

        def batch(command: Sequence[str], count: int) -> None:
            for future in [executor.submit(task, command, next(files)) for _ in range(count)]:
                future.result()

        yield batch


@contextmanager
def huey(limit: int) -> Iterator[Batch]:
    """A queue in SQLite, and one consumer with as many threads as runs may be active."""
    tasks = "tests.benchmarks.huey_tasks"
    with _files() as files, tempfile.TemporaryDirectory(prefix="ry-", dir="/tmp") as folder:
        os.environ["HUEY_DATABASE"] = f"{folder}/huey.db"
        run = import_module(tasks).run
        consumer = [sys.executable, "-m", "huey.bin.huey_consumer", f"{tasks}.huey", "-w", str(limit)]
        looks = ["-k", "thread", "-d", "0.01", "-m", "0.1", "-q"]
        with subprocess.Popen([*consumer, *looks], cwd=Path(__file__).parents[2]) as process:

            def batch(command: Sequence[str], count: int) -> None:
                for result in [run(command, next(files)) for _ in range(count)]:
                    result.get(blocking=True, timeout=600, backoff=1.0, max_delay=0.02)

            try:
                yield batch
            finally:
                process.terminate()


@contextmanager
def hyperqueue(limit: int) -> Iterator[Batch]:
    """Its server and one worker in this process; a batch is a job of as many tasks."""
    from hyperqueue import Job
    from hyperqueue.cluster import LocalCluster, WorkerConfig

    with _files() as files, tempfile.TemporaryDirectory(prefix="ry-", dir="/tmp") as folder:
        cluster = LocalCluster(folder, WorkerConfig(cores=limit))
        client = cluster.client()

        def batch(command: Sequence[str], count: int) -> None:
            job = Job(max_fails=None, default_workdir=folder)
            for out in itertools.islice(files, count):
                job.program(list(command), stdout=out, stderr=out + ".err")
            client.wait_for_jobs([client.submit(job)], raise_on_error=False)

        try:
            yield batch
        finally:
            cluster.stop()
