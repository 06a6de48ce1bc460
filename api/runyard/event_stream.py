"""Server-Sent Events, read as they come."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Event:
    kind: str
    data: str
    id: str | None

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.data)
        return found

    def log_piece(self) -> tuple[int, bytes]:
        data = self.json()
        found = base64.b64decode(data["base64"]) if "base64" in data else str(data["text"]).encode()
        return int(data["offset"]), found


async def parse(response: httpx.Response) -> AsyncIterator[Event]:
    kind, number = "message", None
    data: list[str] = []
    async for line in _lines(response):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Event(kind, "\n".join(data), number)
            kind, data = "message", []
        elif name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            number = value


async def _lines(response: httpx.Response) -> AsyncIterator[str]:
    """Split at line feeds only: httpx would split at every character that Unicode calls a line's end."""
    rest = b""
    async for block in response.aiter_bytes():
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line.decode("utf-8")
