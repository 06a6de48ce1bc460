"""The hub: each stored event is read once, encoded once, and handed to every listener.

A listener has a short queue of its own. One that does not keep up is let go, and resumes from the store by the
number of the last event it saw: nobody waits for it, and it loses nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any

from runyard_actors.manager.client import ManagerClient
from runyard_actors.store.reader import StoreReader
from runyard_cluster.errors import UnavailableError

log = logging.getLogger("runyard.server")

#: Messages a listener may be behind before it is let go.
QUEUE_LENGTH = 1_000
#: Events read from the store at once.
PAGE = 500
#: A comment is sent after this many quiet seconds, so that dead connections are noticed.
HEARTBEAT_SECONDS = 15.0
#: How long one call to the manager waits for news.
WAIT_SECONDS = 20.0
RETRY_SECONDS = 0.5
USAGE_SECONDS = 1.0


class Hub:
    """Fans the store's events out to any number of streams."""

    def __init__(self, reader: StoreReader, manager: Callable[[], ManagerClient]) -> None:
        self._reader = reader
        self._manager = manager
        self._listeners: set[asyncio.Queue[bytes | None]] = set()
        self._closed = False
        self.on_event: Callable[[dict[str, Any]], None] = lambda _: None
        self.last_seq = 0

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return len(self._listeners)

    @property
    def is_closed(self) -> bool:
        """Whether the server is leaving."""
        return self._closed

    async def run(self) -> None:
        """Read news from the store as the manager tells of them, for ever."""
        self.last_seq = await asyncio.to_thread(self._reader.last_seq)
        while not self._closed:
            try:
                newest = await self._manager().wait_changes(self.last_seq, WAIT_SECONDS)
            except UnavailableError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            while self.last_seq < newest:
                if not await self._forward():
                    break

    async def tell_usage(self) -> None:
        """While anybody listens, tell once a second what active runs use, for ever."""
        while not self._closed:
            await asyncio.sleep(USAGE_SECONDS)
            if not self._listeners:
                continue
            try:
                runs = await self._manager().usage()
            except UnavailableError:
                continue
            if runs:
                self.send("usage", {"kind": "usage", "at": time.time(), "runs": [asdict(r) for r in runs]})

    async def stream(self, since: int | None) -> AsyncIterator[bytes]:
        """Yield events as Server-Sent Events: those stored after `since`, then live ones."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_LENGTH)
        self._listeners.add(queue)
        try:
            sent = self.last_seq if since is None else since
            opened = {"kind": "open", "seq": sent}
            yield f"retry: 1000\nid: {sent}\nevent: open\ndata: {json.dumps(opened)}\n\n".encode()
            while sent < self.last_seq:
                events = await asyncio.to_thread(self._read, sent)
                if not events:
                    break
                for event in events:
                    yield encode(event)
                sent = events[-1]["seq"]
            async for message in self._live(queue, sent):
                yield message
        finally:
            self._listeners.discard(queue)

    def send(self, kind: str, data: dict[str, Any]) -> None:
        """Hand listeners something that is not stored, as usage."""
        self._put(f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode())

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        for queue in self._listeners:
            _end(queue)

    async def _forward(self) -> bool:
        events = await asyncio.to_thread(self._read, self.last_seq)
        for event in events:
            self.last_seq = event["seq"]
            self._put(encode(event))
            self.on_event(event)
        return bool(events)

    def _read(self, after: int) -> list[dict[str, Any]]:
        """Return the next events, each with its run as it stands now."""
        events = self._reader.events(after, PAGE)
        runs = self._reader.runs_by_id(list({e["run_id"] for e in events if e["run_id"]}))
        return [{**e, "run": runs.get(e["run_id"])} for e in events]

    def _put(self, message: bytes) -> None:
        for queue in list(self._listeners):
            try:
                queue.put_nowait(message)
            except asyncio.QueueFull:
                self._listeners.discard(queue)
                _end(queue)

    async def _live(self, queue: asyncio.Queue[bytes | None], sent: int) -> AsyncIterator[bytes]:
        while True:
            try:
                message = await asyncio.wait_for(queue.get(), HEARTBEAT_SECONDS)
            except TimeoutError:
                yield b":\n\n"
                continue
            if message is None:
                return
            if _seq(message) > sent:
                yield message


def encode(event: dict[str, Any]) -> bytes:
    """Return a stored event as one Server-Sent Event, its number as the id."""
    data = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    return f"id: {event['seq']}\nevent: {event['kind']}\ndata: {data}\n\n".encode()


def _seq(message: bytes) -> float:
    head = message.partition(b"\n")[0]
    return int(head[4:]) if head.startswith(b"id: ") else float("inf")


def _end(queue: asyncio.Queue[bytes | None]) -> None:
    while queue.full():
        queue.get_nowait()
    queue.put_nowait(None)
