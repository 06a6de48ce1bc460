"""The web server says that it listens when, and not before, it can be connected to."""

from __future__ import annotations

import asyncio
from typing import Any

from runyard.server.listen import Listen
from runyard.server.web import web_server


async def no_app(scope: Any, receive: Any, send: Any) -> None:
    """Answer nothing."""


def test_a_server_that_listens_can_be_connected_to() -> None:
    async def story() -> None:
        listener = Listen().open()
        host, port = listener.getsockname()
        server = web_server(no_app)
        serving = asyncio.create_task(server.serve([listener]))
        assert not server.is_listening.is_set()
        await server.is_listening.wait()
        _, writer = await asyncio.open_connection(host, port)
        writer.close()
        await writer.wait_closed()
        server.leave()
        await serving

    asyncio.run(story())
