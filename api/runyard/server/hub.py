"""The hub: each stored event is read once, encoded once, and handed to every listener.

A listener has a short queue of its own. One that does not keep up is let go, and resumes from the store by the
number of the last event it saw: nobody waits for it, and it loses nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
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
#: Messages that wait together are sent together, up to about so many bytes: a burst costs few writes.
CHUNK_BYTES = 64 * 1024
#: A comment is sent after this many quiet seconds, so that dead connections are noticed.
HEARTBEAT_SECONDS = 15.0
#: How long one call to the manager waits for news.
WAIT_SECONDS = 20.0
RETRY_SECONDS = 0.5
#: After news were read the next ones gather, for so long at most and so long for each of those that were read: a storm
#: of commits costs a reading now and then, and a single run's start is not held up for its end.
GATHER_SECONDS, GATHER_SECONDS_EACH = 0.01, 0.0005
USAGE_SECONDS = 1.0


class Hub:
    """Fans the store's events out to any number of streams."""

    def __init__(self, reader: StoreReader, manager: Callable[[], ManagerClient]) -> None:
        self._reader = reader
        self._manager = manager
        self._listeners: set[asyncio.Queue[bytes | None]] = set()
        self._has_begun = asyncio.Event()
        self._closed = False
        self.on_event: list[Callable[[dict[str, Any]], None]] = []
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
        self._has_begun.set()
        while not self._closed:
            try:
                newest = await self._manager().wait_changes(self.last_seq, WAIT_SECONDS)
                count = await self._forward_until(newest)
                await asyncio.sleep(min(GATHER_SECONDS, count * GATHER_SECONDS_EACH))
            except UnavailableError:
                await asyncio.sleep(RETRY_SECONDS)

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
        """Yield events as Server-Sent Events: those stored after `since`, then live ones.

        A number that is not given out yet comes from a store that was here before: the newest one is taken.
        """
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_LENGTH)
        self._listeners.add(queue)
        try:
            # Callers who lost an earlier server are here before the last number is known.
            await self._has_begun.wait()
            sent = self.last_seq if since is None else since
            if sent > self.last_seq:
                sent = min(sent, await asyncio.to_thread(self._reader.last_seq))
            opened = {"kind": "open", "seq": sent}
            yield f"retry: 1000\nid: {sent}\nevent: open\ndata: {json.dumps(opened)}\n\n".encode()
            while sent < self.last_seq:
                events = await asyncio.to_thread(self._read, sent)
                if not events:
                    break
                for chunk in _chunks(events):
                    yield chunk
                sent = events[-1]["seq"]
            async for chunk in self._live(queue, sent):
                yield chunk
        finally:
            self._listeners.discard(queue)

    def send(self, kind: str, data: dict[str, Any]) -> None:
        """Hand listeners something that is not stored, as usage."""
        self._put(f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode())

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._has_begun.set()
        for queue in self._listeners:
            _end(queue)

    async def _forward_until(self, newest: int) -> int:
        """Hand on what was stored since the last time; return how much that was."""
        count = 0
        while self.last_seq < newest:
            events = await asyncio.to_thread(self._read, self.last_seq)
            if not events:
                break
            count += len(events)
            for event in events:
                self.last_seq = event["seq"]
                self._put(encode(event))
                for take in self.on_event:
                    take(event)
        return count

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
        is_open = True
        while is_open:
            try:
                message = await asyncio.wait_for(queue.get(), HEARTBEAT_SECONDS)
            except TimeoutError:
                yield b":\n\n"
                continue
            chunk, is_open = _gathered(message, queue, sent)
            if chunk:
                yield chunk


def encode(event: dict[str, Any]) -> bytes:
    """Return a stored event as one Server-Sent Event, its number as the id."""
    data = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    return f"id: {event['seq']}\nevent: {event['kind']}\ndata: {data}\n\n".encode()


def _seq(message: bytes) -> float:
    head = message.partition(b"\n")[0]
    return int(head[4:]) if head.startswith(b"id: ") else float("inf")


def _chunks(events: list[dict[str, Any]]) -> Iterator[bytes]:
    chunk = bytearray()
    for event in events:
        chunk += encode(event)
        if len(chunk) >= CHUNK_BYTES:
            yield bytes(chunk)
            chunk.clear()
    if chunk:
        yield bytes(chunk)


def _gathered(message: bytes | None, queue: asyncio.Queue[bytes | None], sent: int) -> tuple[bytes, bool]:
    """Join a message with those that wait behind it; the second value is False once nothing more will come."""
    chunk = bytearray()
    while message is not None:
        if _seq(message) > sent:
            chunk += message
        if len(chunk) >= CHUNK_BYTES or queue.empty():
            break
        message = queue.get_nowait()
    return bytes(chunk), message is not None


def _end(queue: asyncio.Queue[bytes | None]) -> None:
    """End a listener's stream: after what waits for it, or, when it fell behind, where it stands.

    With only some of the waiting events left out it would resume behind them, and never hear of those.
    """
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
    queue.put_nowait(None)
