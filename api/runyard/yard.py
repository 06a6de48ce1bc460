"""Finding a server for this data folder, or starting an embedded one."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runyard import ray_driver
from runyard.address import checked_token, checked_url
from runyard_cluster.errors import AuthenticationError, ConnectionFailedError
from runyard_cluster.locate import locate
from runyard_cluster.process import is_locked, is_same_process, process_start_time, spawn_detached
from runyard_cluster.server_record import Endpoint, running_server

if TYPE_CHECKING:
    from runyard.client import Client
    from runyard_cluster.data_dir import DataDir

#: An embedded server must be ready within this; Ray's head takes most of it on a busy machine.
START_SECONDS = 150.0
LOOK_SECONDS = 0.05
LAST_LOG_LINES = 5


def connect(url: str | None = None, token: str | None = None) -> Client:
    """Return a client of the server at `url`, or of the one that runs on this machine.

    Without `token`, `RUNYARD_TOKEN` is taken, or the one in this machine's data folder.
    Raises ConnectionFailedError when no server runs here, AuthenticationError when no token is known.
    """
    return _client(locator(url, token))


def locator(url: str | None, token: str | None) -> Callable[[], Endpoint]:
    """Return what finds the server at `url`, or the one of this machine, again and again."""
    address = url or os.environ.get("RUNYARD_URL")
    if address:
        return lambda: _elsewhere(address, token)

    def here() -> Endpoint:
        found = ray_driver.endpoint() or _here(locate(None))
        return replace(found, token=token) if token else found

    return here


def find(config: Path | None, url: str | None) -> Client | None:
    """Return a client of the running server, embedded or not, or None when there is none.

    Inside a Ray driver whose cluster has a RunManager, that one's server it is.
    """
    address = url or os.environ.get("RUNYARD_URL")
    if address:
        return _client(lambda: _elsewhere(address, None))
    if clusters := ray_driver.endpoint():
        return _client(lambda: ray_driver.endpoint() or clusters)
    data_dir = locate(config)
    return _client(lambda: _here(data_dir)) if running_server(data_dir) else None


def find_or_start(config: Path | None, url: str | None) -> Client:
    """Return a client of the running server, or of an embedded one that is started now.

    The client finds or starts another one when that one leaves while it is in use.
    """
    if url or os.environ.get("RUNYARD_URL"):
        found = find(config, url)
        assert found is not None
        return found
    data_dir = locate(config)

    def found_or_started() -> Endpoint:
        clusters = ray_driver.endpoint()
        if clusters is None and running_server(data_dir) is None:
            start_embedded(data_dir, config)
        return clusters or _here(data_dir)

    return _client(found_or_started)


def start_embedded(data_dir: DataDir, config: Path | None) -> None:
    """Start an embedded server on the data folder, unless somebody else just did, and wait until it is ready."""
    start_server(data_dir, config, [])


def start_server(data_dir: DataDir, config: Path | None, options: Sequence[str]) -> Endpoint:
    """Start a server in the background, unless one is there or on its way, and wait until it is ready.

    Raises ConnectionFailedError with the end of the server's log when it does not come up.
    """
    data_dir.create()
    end = time.monotonic() + START_SECONDS
    starting: tuple[int, float] | None = None
    while (endpoint := running_server(data_dir)) is None:
        if time.monotonic() > end:
            raise ConnectionFailedError(f"the server was not ready after {START_SECONDS:g} s{_why(data_dir)}")
        # Locked means: one is on its way, or still on its way out, and then it is our turn.
        if not is_locked(data_dir.server_lock):
            if starting is None:
                starting = _spawn(data_dir, config, options)
            elif not is_same_process(*starting):
                raise ConnectionFailedError(f"the server did not start{_why(data_dir)}")
        time.sleep(LOOK_SECONDS)
    return endpoint


def _spawn(data_dir: DataDir, config: Path | None, options: Sequence[str]) -> tuple[int, float]:
    chosen = ["--config", str(config)] if config else []
    command = [sys.executable, "-m", "runyard.server.host", *chosen, *options]
    environ = {**os.environ, **ray_driver.environment()}
    pid = spawn_detached(command, env=environ, cwd=str(Path.cwd()), stdout=data_dir.server_log)
    return pid, process_start_time(pid) or 0.0


def _client(locate_server: Callable[[], Endpoint]) -> Client:
    from runyard.client import Client

    return Client(locate=locate_server)


def _here(data_dir: DataDir) -> Endpoint:
    endpoint = running_server(data_dir)
    if endpoint is None:
        raise ConnectionFailedError
    return endpoint


def _elsewhere(url: str, token: str | None) -> Endpoint:
    token = token or os.environ.get("RUNYARD_TOKEN") or _own_token()
    if not token:
        raise AuthenticationError(f"no token for {url} is known; set RUNYARD_TOKEN")
    return Endpoint(checked_url(url), checked_token(token))


def _own_token() -> str | None:
    try:
        return locate(None).token_file.read_text("utf-8").strip()
    except OSError:
        return None


def _why(data_dir: DataDir) -> str:
    try:
        lines = data_dir.server_log.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return f"; the end of {data_dir.server_log}:\n" + "\n".join(lines[-LAST_LOG_LINES:])
