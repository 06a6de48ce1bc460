"""`runyard up` and `runyard down`: the server that stays, in the foreground or behind."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

from runyard.client import Client
from runyard.server.host import LOOPBACK, Ready, serve
from runyard.yard import find, running, start_server
from runyard_cluster.data_dir import DataDir
from runyard_cluster.errors import ConflictError, ConnectionFailedError, InvalidRequestError
from runyard_cluster.locate import locate
from runyard_cluster.process import is_locked
from runyard_cluster.settings import Settings, load_settings

#: A server that was told to leave is gone within this; Ray's processes take most of it.
LEAVE_SECONDS = 60.0
LOOK_SECONDS = 0.05


def up(config: Path | None, host: str | None, port: int | None, detach: bool) -> int:
    """Serve until told to leave, or in the background; return the exit code.

    An embedded server in the way is asked to leave first: its runs go on and are taken over.
    Raises ConflictError when another server holds the data folder, InvalidRequestError for an open network.
    """
    settings = load_settings(config)
    address, number = host or settings.host, settings.port if port is None else port
    if address not in (*LOOPBACK, "::1"):
        raise InvalidRequestError(
            f"{address} is reachable from the network, and whoever holds the token can run programs here; "
            "listen on 127.0.0.1 and put a proxy with TLS in front"
        )
    data_dir = DataDir(settings.data_dir)
    _make_way(data_dir, config)
    if detach:
        endpoint = start_server(data_dir, config, ["--up", address, str(number)])
        with Client(lambda: endpoint) as client:
            _say_ready(Ready(url=endpoint.url, page=client.login_link(), dashboard=None), settings)
        return 0
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    print("runyard: starting Ray and the RunManager …", file=sys.stderr)  # noqa: T201 a person waits for it
    serve(
        settings,
        is_embedded=False,
        host=address,
        port=number,
        on_ready=lambda ready: _say_ready(ready, settings),
    )
    return 0


def down(config: Path | None, cancel: bool) -> int:
    """Stop the server of the data folder; its runs go on unless `cancel`. Raises ConnectionFailedError."""
    data_dir = locate(config)
    client = find(config, None)
    if client is None:
        raise ConnectionFailedError(f"no server runs on {data_dir.path}")
    with client:
        if cancel:
            _cancel_all(client)
        client.leave()
    _wait_gone(data_dir)
    return 0


def _make_way(data_dir: DataDir, config: Path | None) -> None:
    endpoint = running(data_dir)
    if endpoint is None or not endpoint.is_embedded:
        return
    client = find(config, None)
    if client is not None:
        with client:
            client.leave()
        _wait_gone(data_dir)


def _wait_gone(data_dir: DataDir) -> None:
    end = time.monotonic() + LEAVE_SECONDS
    while is_locked(data_dir.server_lock):
        if time.monotonic() > end:
            raise ConflictError(f"the server on {data_dir.path} did not leave in {LEAVE_SECONDS:g} s")
        time.sleep(LOOK_SECONDS)


def _cancel_all(client: Client) -> None:
    """Cancel what has not ended, and wait until it has."""
    client.pause()
    while True:
        left = client.runs(status=["queued", "running"], limit=1000)["runs"]
        if not left:
            return
        for run in left:
            client.cancel(run["run_id"], "the server was stopped with --cancel")
        client.wait([run["run_id"] for run in left], LEAVE_SECONDS)


def _say_ready(ready: Ready, settings: Settings) -> None:
    lines = [f"page       {ready.page}", f"API        {ready.url}/api", f"data       {settings.data_dir}"]
    if ready.dashboard:
        lines.append(f"Ray        {ready.dashboard}")
    print("\n".join(["runyard is ready", *(f"  {line}" for line in lines)]), flush=True)  # noqa: T201 the answer
