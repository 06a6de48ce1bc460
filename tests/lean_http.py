"""HTTP for storms: one connection a client, and so little work for each call that the server is what is measured.

An HTTP library for Python takes more CPU time for a call than the server does.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")


class LeanHttp:
    """One client of a server. It connects with its first call, and again after a lost connection."""

    def __init__(self, url: str, token: str) -> None:
        self._address = urlsplit(url)
        self._head = f"Host: {self._address.hostname}\r\nAuthorization: Bearer {token}\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        """Return the answer's status and its JSON. Raises ConnectionError when no whole answer came."""
        status, content = await self.request("POST", path, body, key)
        return status, json.loads(content)

    async def request(
        self, method: str, path: str, body: Any = None, key: str | None = None
    ) -> tuple[int, bytes]:
        """Return the answer's status and its bytes. Raises ConnectionError when no whole answer came."""
        content = b"" if body is None else json.dumps(body).encode()
        own = f"Idempotency-Key: {key}\r\n" if key else ""
        own += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        try:
            return await self._answer(f"{method} {path} HTTP/1.1\r\n{self._head}{own}\r\n".encode() + content)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise ConnectionError(f"no answer: {error!r}") from error

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _answer(self, request: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._address.hostname, self._address.port)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        status = int(head.split(" ", 2)[1])
        if "transfer-encoding: chunked" in head:
            return status, await _chunks(reader)
        length = int(head.partition("content-length:")[2].partition("\r\n")[0])
        return status, await reader.readexactly(length)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    content = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        content += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return content


@asynccontextmanager
async def lean_http(url: str, token: str) -> AsyncIterator[LeanHttp]:
    """Lend a client for the length of the block."""
    http = LeanHttp(url, token)
    try:
        yield http
    finally:
        http.close()


async def from_clients(
    url: str, token: str, clients: int, items: Iterable[T], call: Callable[[LeanHttp, T], Awaitable[None]]
) -> None:
    """Make a call for each item, from that many clients at once."""
    waiting: Iterator[T] = iter(items)

    async def one_client() -> None:
        async with lean_http(url, token) as http:
            for item in waiting:
                await call(http, item)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(one_client())
