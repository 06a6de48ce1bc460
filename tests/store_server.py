"""The web application over a store that the test writes itself: all of the server but Ray and the manager's queue."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import uvicorn

from runyard.server.app import create_app
from runyard.server.context import Context
from runyard.server.hub import Hub
from runyard.server.sessions import Sessions
from runyard_actors.manager.client import ManagerClient
from runyard_actors.manager.messages import YardView
from runyard_actors.store import StoreReader, StoreWriter
from runyard_actors.store.changes import Change
from runyard_cluster.capacity import Capacity
from runyard_cluster.data_dir import DataDir
from runyard_cluster.errors import UnavailableError
from runyard_cluster.settings import Settings
from tests.support import wait_until

CAPACITY = Capacity(node="ws1", cpu_milli=8_000, memory_bytes=16 * 2**30)


class StoreNews(ManagerClient):
    """A manager that tells of commits, and shows the yard it is given; without one it does not answer that."""

    def __init__(self, writer: StoreWriter) -> None:
        super().__init__(None)
        self.yard: YardView | None = None
        self.is_awaited = False
        self._changed = threading.Condition()
        self._last_seq = 0
        self._is_over = False
        writer.on_commit = self._note

    async def view(self, limit_seconds: float = 0) -> YardView:
        del limit_seconds
        if self.yard is None:
            raise UnavailableError("there is no manager")
        return self.yard

    async def expected_end(self, batch_id: str, limit_seconds: float = 1.0) -> None:
        return None

    async def wait_changes(self, after_seq: int, limit_seconds: float, gather_seconds: float) -> int:
        del gather_seconds
        self.is_awaited = True
        return await asyncio.to_thread(self._wait, after_seq, limit_seconds)

    def end(self) -> None:
        """Release whoever waits."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _note(self, seq: int) -> None:
        with self._changed:
            self._last_seq = seq
            self._changed.notify_all()

    def _wait(self, after_seq: int, limit_seconds: float) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self._last_seq > after_seq or self._is_over, limit_seconds)
            return self._last_seq


class StoreServer:
    """A served store: `write` changes it, `client` calls the server with its token."""

    def __init__(self, context: Context, writer: StoreWriter, news: StoreNews, port: int) -> None:
        self.context = context
        self.news = news
        self.port = port
        self._writer = writer
        token = {"Authorization": f"Bearer {context.data_dir.token()}"}
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=token, trust_env=False)

    def write(self, changes: Sequence[Change]) -> None:
        """Commit, and wait until live listeners were told."""
        self._writer.write(changes).result(10)
        last = self.context.reader.last_seq()
        wait_until(lambda: self.context.hub.last_seq >= last, 10, "the hub saw all events")


@contextlib.contextmanager
def serving(folder: Path, **settings: object) -> Iterator[StoreServer]:
    """Serve a fresh data folder on a free port for the length of the block."""
    data_dir = DataDir(folder)
    data_dir.create()
    writer, reader = StoreWriter(data_dir.database), StoreReader(data_dir.database)
    news = StoreNews(writer)
    context = Context(
        settings=Settings(data_dir=folder, **settings),
        data_dir=data_dir,
        capacity=CAPACITY,
        reader=reader,
        sessions=Sessions(data_dir.token()),
        hub=Hub(reader, lambda: news),
        current_manager=news,
        leave=lambda: None,
    )
    config = uvicorn.Config(create_app(context, {"127.0.0.1"}), port=0, http="h11", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(_serve(server, context.hub)), name="server")
    thread.start()
    try:
        wait_until(lambda: server.started and news.is_awaited, 20, "the server listens")
        port = server.servers[0].sockets[0].getsockname()[1]
        found = StoreServer(context, writer, news, port)
        with found.client:
            yield found
    finally:
        context.hub.close()
        news.end()
        server.should_exit = True
        thread.join(20)
        writer.close()
        reader.close()
        assert not thread.is_alive()


async def _serve(server: uvicorn.Server, hub: Hub) -> None:
    live = asyncio.create_task(hub.run(), name="hub")
    await server.serve()
    await live
