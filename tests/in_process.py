"""The whole server in this process, in well under a second: everything is real, only Ray is left out.

The real RunManager with its core, store, registry and node agent, which launches real shims and real processes; the
real application on a real socket. What Ray would do is done here by a call: pickle and hand over.
"""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from runyard.client import Client
from runyard.server.app import create_app
from runyard.server.context import Context
from runyard.server.hub import Hub
from runyard.server.listen import Listen
from runyard.server.sessions import Sessions
from runyard.server.web import web_server
from runyard.session import Session
from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.actor import RunManager
from runyard_actors.manager.client import ManagerClient
from runyard_actors.manager.follow_nodes import Cluster, ClusterNode
from runyard_actors.node_meter import NodeMeter
from runyard_actors.nodes.line import Agent
from runyard_actors.store.reader import StoreReader
from runyard_cluster.capacity import Capacity, Gpu
from runyard_cluster.errors import UnavailableError
from runyard_cluster.event_loop import new_event_loop
from runyard_cluster.server_record import Endpoint
from runyard_cluster.settings import Settings
from tests.support import wait_until

GIB = 2**30

#: A machine that is the same for every test, whatever the real one is: 8 CPUs, 16 GiB, two GPUs of 8 GiB.
CAPACITY = Capacity(
    node="here",
    cpu_milli=8_000,
    memory_bytes=16 * GIB,
    gpus=tuple(
        Gpu(index=i, uuid=f"GPU-{i}", name="Test GPU", memory_bytes=8 * GIB, free_bytes=8 * GIB)
        for i in range(2)
    ),
)


class NoLeases:
    """Leases that are held by nobody, in place of Ray's tasks."""

    async def take(self, attempt: ActiveRun) -> None:
        """Hold at once."""

    def give_back(self, attempt: ActiveRun) -> None:
        """There is nothing to give back."""

    async def hold(self, lease_id: int) -> bool:
        """Nobody asks."""
        return False

    async def tidy_for_ever(self) -> None:
        """There is nothing to tidy."""

    def on_node(self, capacity: Capacity, ray_id: str) -> None:
        """Nothing is held there."""

    def on_node_gone(self, node: str) -> None:
        """Nothing was held there."""


class NobodyElse:
    """A cluster without other nodes, in place of Ray's."""

    async def nodes(self) -> Sequence[ClusterNode]:
        """There are none."""
        return ()

    async def agent(self, node: ClusterNode) -> Agent:
        """Nobody asks."""
        raise UnavailableError(f"there is no node {node.name}")


class InProcessManager(ManagerClient):
    """A manager's client whose calls go to an object of this process; all that travels is pickled, as by Ray."""

    async def _ask(self, method: str, args: Sequence[Any]) -> Any:
        answer = await getattr(self._handle, method)(*_travelled(list(args)))
        return _travelled(answer)


class InProcess:
    """A running server: its address and token, ways to call it, and its parts to look into."""

    def __init__(
        self,
        settings: Settings,
        capacity: Capacity,
        meter: NodeMeter | None,
        cluster: Cluster | None = None,
    ) -> None:
        self.settings = settings
        self.capacity = capacity
        self._meter = meter
        # Left to itself, the manager asks Ray, which makes whoever asks a driver, and takes it along when it ends.
        self._cluster = cluster or (None if settings.ray_address == "local" else NobodyElse())
        self.data_dir = settings.data
        self.data_dir.create()
        self.token = self.data_dir.token()
        self.has_left = threading.Event()
        self.url = ""
        self.context: Context
        self.manager: RunManager
        self.app: FastAPI
        self._loop = new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="in-process server")
        self._stopping: asyncio.Event
        self._leaves_runs = False

    def start(self, listen: Listen, allowed_hosts: Sequence[str]) -> None:
        """Serve, and return once it does."""
        self._thread.start()
        self._served = asyncio.run_coroutine_threadsafe(self._serve(listen, allowed_hosts), self._loop)
        wait_until(lambda: self.url or self._served.done(), 20, "the server listens")
        if self._served.done():
            self._served.result()

    def stop(self) -> None:
        """End all runs and the server; fail if anything of it stays."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        try:
            self._served.result(30)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()
        assert not self._thread.is_alive()

    def leave_runs(self) -> None:
        """Have the runs go on when the server ends, for the next one to take over."""
        self._leaves_runs = True

    def http(self, **more: Any) -> httpx.Client:
        """Return an HTTP client that shows the token."""
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=30, **more)

    def client(self) -> Client:
        """Return the Python client."""
        return Client(locate=lambda: Endpoint(self.url, self.token))

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Lend what `submit` and `submit_batch` work with."""
        session = Session(self.client())
        try:
            yield session
        finally:
            session.close()

    def call(self, work: Any) -> Any:
        """Run a coroutine in the server's loop, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _serve(self, listen: Listen, allowed_hosts: Sequence[str]) -> None:
        self._stopping = asyncio.Event()
        self.manager = RunManager(
            self.settings.model_dump(mode="json"), self.capacity, NoLeases(), self._meter, self._cluster
        )
        self.context = self._context(InProcessManager(self.manager))
        self.app = create_app(self.context, {*listen.names(), *allowed_hosts})
        server = web_server(self.app, listen.tls)
        listener = listen.open()
        tasks = [
            asyncio.create_task(server.serve([listener])),
            asyncio.create_task(self.context.hub.run()),
            asyncio.create_task(self.context.hub.tell_usage()),
            asyncio.create_task(self.context.node_history.keep(lambda: self.context.manager)),
            asyncio.create_task(self.context.notifier.run()),
        ]
        while not server.started and not tasks[0].done():
            await asyncio.sleep(0.001)
        self.url = listen.url(listener.getsockname()[1])
        await self._stopping.wait()
        self.context.hub.close()
        server.leave()
        await tasks[0]
        if not self._leaves_runs:
            await self._end_runs()
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.manager.close()
        self.context.reader.close()

    async def _end_runs(self) -> None:
        yard = self.manager._yard
        yard.core.pause()  # not the manager, whose pause would outlive it
        await self.manager.cancel(list(yard.active), "the test is over")
        async with asyncio.timeout(20):
            while yard.active:
                await asyncio.sleep(0.01)

    def _context(self, manager: ManagerClient) -> Context:
        reader = StoreReader(self.data_dir.database)
        context = Context(
            settings=self.settings,
            data_dir=self.data_dir,
            capacity=self.capacity,
            reader=reader,
            sessions=Sessions(self.token),
            hub=Hub(reader, lambda: context.manager),
            current_manager=manager,
            leave=self.has_left.set,
        )
        return context


@contextmanager
def in_process(
    folder: Path,
    *,
    listen: Listen | None = None,
    allowed_hosts: Sequence[str] = (),
    capacity: Capacity = CAPACITY,
    meter: NodeMeter | None = None,
    cluster: Cluster | None = None,
    **settings: object,
) -> Iterator[InProcess]:
    """Serve a data folder inside `folder` for the length of the block; settings as in runyard.toml.

    `meter` looks at the node that `capacity` describes; the real one's if left out. `cluster` has other nodes.
    """
    quick = {"cpu_busy_percent": 0, "reserve_memory": "64MiB", "grace": "2s", "data_dir": folder / "data"}
    server = InProcess(Settings.model_validate({**quick, **settings}), capacity, meter, cluster)
    server.start(listen or Listen(), allowed_hosts)
    try:
        yield server
    finally:
        server.stop()


def _travelled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))
