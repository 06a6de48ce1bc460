"""The server's process: it takes the data folder, brings up Ray and the manager, and serves until told to leave.

`runyard up` runs it for as long as people want it; without it, the Python API and the command line start an
embedded one, which leaves by itself once nobody is connected and nothing is left to do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runyard.server.history import keep_ready
from runyard.server.leaving import Leaving
from runyard.server.listen import Listen, Tls
from runyard.server.supervisor import Supervisor
from runyard_cluster.data_dir import DataDir
from runyard_cluster.errors import ConflictError, RunyardError
from runyard_cluster.event_loop import new_event_loop
from runyard_cluster.files import durable_replace
from runyard_cluster.process import FileLock
from runyard_cluster.server_record import server_record
from runyard_cluster.settings import Settings, load_settings
from runyard_cluster.settle import settle

log = logging.getLogger("runyard.server")

#: An embedded server with nothing to do and nobody connected stays this long, for the next command.
LINGER_SECONDS = 10.0
#: How often it looks whether it is still needed.
IDLE_LOOK_SECONDS = 0.5
#: The name of the tasks that serve.
SERVE = "serve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A server that is ready: its address, a page's address that logs in once, and the Ray dashboard's."""

    url: str
    page: str
    dashboard: str | None


def serve(
    settings: Settings,
    *,
    is_embedded: bool,
    listen: Listen,
    on_ready: Callable[[Ready], None] | None = None,
    stops_runs: bool = False,
) -> None:
    """Serve until told to leave; with `stops_runs`, what a signal ends takes its runs along, with their grace.

    Raises ConflictError when the data folder has a server already, InvalidRequestError for an open network.
    """
    listen.check()
    data_dir = settings.data
    data_dir.create()
    lock = FileLock.acquire(data_dir.server_lock)
    if lock is None:
        raise taken(data_dir)
    try:
        # One that was killed leaves its record, and with the lock held again that would be taken for ours.
        data_dir.server_file.unlink(missing_ok=True)
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_Host(settings, data_dir, is_embedded, on_ready, stops_runs).run(listen))
    finally:
        data_dir.server_file.unlink(missing_ok=True)
        lock.release()


class _Host:
    def __init__(
        self,
        settings: Settings,
        data_dir: DataDir,
        is_embedded: bool,
        on_ready: Callable[[Ready], None] | None,
        stops_runs: bool,
    ) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._is_embedded = is_embedded
        self._on_ready = on_ready
        self._stops_runs = stops_runs
        self._leaving = Leaving()

    async def run(self, listen: Listen) -> None:
        sockets = _sockets(listen)
        supervisor = Supervisor(self._settings, self._data_dir, has_dashboard=not self._is_embedded)
        self._leaving.on_signals()
        bring_up = asyncio.create_task(supervisor.bring_up(), name="bring up Ray")
        tasks: list[asyncio.Task[Any]] = []
        servers: list[Any] = []
        try:
            context, servers = await self._build(supervisor, listen)
            await bring_up
            tasks = self._tasks(context, zip(servers, sockets, strict=False), supervisor)
            await _listening(servers, tasks)
            self._announce(context, listen, sockets, supervisor.dashboard)
            settle()
            leave = asyncio.create_task(self._leaving.is_told.wait(), name="leave")
            done, _ = await asyncio.wait([*tasks, leave], return_when=asyncio.FIRST_COMPLETED)
            if self._stops_runs and self._leaving.is_signalled:
                from runyard.server.stop_runs import stop_runs

                await self._leaving.unless_signalled_again(stop_runs(context))
            context.hub.close()
            for task in done - {leave}:
                task.result()
        finally:
            self._data_dir.server_file.unlink(missing_ok=True)
            for server in servers:
                server.leave()
            for task in tasks:
                if task.get_name() != SERVE:
                    task.cancel()
            await asyncio.gather(bring_up, *tasks, return_exceptions=True)
            await supervisor.shut_down()

    def _tasks(
        self, context: Any, served: Iterable[tuple[Any, socket.socket]], supervisor: Supervisor
    ) -> list[asyncio.Task[Any]]:
        """Start what runs for the server's whole life; those named SERVE end by themselves when told to."""
        work = [
            *((SERVE, server.serve([listener])) for server, listener in served),
            ("hub", context.hub.run()),
            ("usage", context.hub.tell_usage()),
            ("node history", context.node_history.keep(lambda: context.manager)),
            ("tell", context.notifier.run()),
            ("supervise", supervisor.watch()),
        ]
        if self._is_embedded:
            work.append(("idle", self._leave_when_idle(context)))
        else:
            work.append(("history", keep_ready(context.reader)))
        return [asyncio.create_task(each, name=name) for name, each in work]

    async def _build(self, supervisor: Supervisor, listen: Listen) -> tuple[Any, list[Any]]:
        """Import and build the web parts beside Ray's start, which takes seconds anyway."""
        from runyard.server.app import create_app
        from runyard.server.context import Context
        from runyard.server.hub import Hub
        from runyard.server.sessions import Sessions
        from runyard.server.web import web_server
        from runyard_actors.store.reader import StoreReader

        reader = StoreReader(self._data_dir.database)
        context = Context(
            settings=self._settings,
            data_dir=self._data_dir,
            capacity=supervisor.capacity,
            reader=reader,
            sessions=Sessions(self._data_dir.token()),
            hub=Hub(reader, lambda: context.manager),
            is_embedded=self._is_embedded,
            leave=self._leaving.tell,
        )

        def take(manager: Any) -> None:
            context.take(manager, supervisor.capacity, supervisor.log_links)
            # A driver of Ray's that is made puts its own handlers of signals in the place of ours.
            self._leaving.on_signals()

        supervisor.on_manager = take
        app = create_app(context, {*listen.names(), *self._settings.allowed_hosts})
        return context, [web_server(app, listen.tls), *([web_server(app)] if listen.tls else [])]

    def _announce(
        self, context: Any, listen: Listen, sockets: Sequence[socket.socket], dashboard: str | None
    ) -> None:
        url = listen.url(_port(sockets[0]))
        record = {
            "pid": os.getpid(),
            "url": _local_url(listen, sockets),
            "public_url": url,
            "is_embedded": self._is_embedded,
            "dashboard": dashboard,
            "config": str(self._settings.source) if self._settings.source else None,
            "started_at": time.time(),
        }
        durable_replace(self._data_dir.server_file, json.dumps(record).encode())
        log.info("ready at %s", url)
        if self._on_ready:
            page = f"{url}/?login={context.sessions.new_link_secret()}"
            self._on_ready(Ready(url=url, page=page, dashboard=dashboard))

    async def _leave_when_idle(self, context: Any) -> None:
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < LINGER_SECONDS:
            await asyncio.sleep(IDLE_LOOK_SECONDS)
            if context.hub.listeners or context.notifier.is_busy or await self._has_work(context):
                idle_since = time.monotonic()
        self._leaving.tell()
        await asyncio.Event().wait()

    @staticmethod
    async def _has_work(context: Any) -> bool:
        try:
            view = await context.manager.view()
        except RunyardError:
            return True
        return bool(view.active or view.queued)


async def _listening(servers: Sequence[Any], tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Return once all servers can be connected to: who reads where they are connects at once."""
    listening = asyncio.gather(*(server.is_listening.wait() for server in servers))
    done, _ = await asyncio.wait([listening, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


def _sockets(listen: Listen) -> list[socket.socket]:
    """Return the socket to listen on; with TLS one more, for callers on this machine, who need no certificate."""
    return [listen.open(), *([Listen().open()] if listen.tls else [])]


def _local_url(listen: Listen, sockets: Sequence[socket.socket]) -> str:
    return Listen().url(_port(sockets[1])) if listen.tls else listen.url(_port(sockets[0]))


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def taken(data_dir: DataDir) -> ConflictError:
    """Return the error that says whose the data folder is."""
    record = server_record(data_dir)
    whose = f": process {record['pid']}, {record['url']}" if record else ""
    return ConflictError(f"a server runs on {data_dir.path} already{whose}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve in the background: embedded, or with `--up HOST PORT` until `runyard down`."""
    parser = argparse.ArgumentParser(prog="python -m runyard.server.host", description=main.__doc__)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--up", nargs=2, metavar=("HOST", "PORT"))
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"), type=Path)
    parser.add_argument("--insecure", action="store_true")
    parser.add_argument("--stop-runs", action="store_true")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    host, port = chosen.up or ("127.0.0.1", "0")
    tls = Tls(certificate=chosen.tls[0], key=chosen.tls[1]) if chosen.tls else None
    listen = Listen(host=host, port=int(port), tls=tls, is_insecure=chosen.insecure)
    try:
        serve(
            load_settings(chosen.config),
            is_embedded=chosen.up is None,
            listen=listen,
            stops_runs=chosen.stop_runs,
        )
    except RunyardError as error:
        log.error("%s", error)
        sys.exit(3)


if __name__ == "__main__":
    main()
