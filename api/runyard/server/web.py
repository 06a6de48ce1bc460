"""The web server around the application: one for each socket, all in the loop of the process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from runyard.server.listen import Tls

#: How long answers under way are waited for when the server leaves; streams end at once.
SHUTDOWN_SECONDS = 2
#: Idle connections are closed by callers first: one that closes here just as a call comes in breaks that call.
KEEP_ALIVE_SECONDS = 75
#: What there is to look at now and then, the date of answers for one, is looked at this often.
TICK_SECONDS = 1.0


class WebServer(uvicorn.Server):
    """A uvicorn server that leaves signals to the process it is part of, and tells when it can be connected to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_listening = asyncio.Event()
        self._is_leaving = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await super().startup(sockets)
        self.is_listening.set()

    async def main_loop(self) -> None:
        """Serve until told to leave; uvicorn's own loop wakes ten times a second to see whether it was."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._is_leaving.wait()

    def leave(self) -> None:
        """Have it accept no more, finish its answers, and end."""
        self.should_exit = True
        self._is_leaving.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal: the host has its own way to leave."""
        yield


def web_server(app: Any, tls: Tls | None = None) -> WebServer:
    """Return a server for `app`, to be awaited with its socket."""
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )
    return WebServer(config)
