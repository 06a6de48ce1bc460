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
from functools import partial
from typing import Any

from runyard.server.event_pages import ALL_KINDS, CHUNK_BYTES, PAGE, USAGE, Chunk, EventPages, chunks
from runyard_actors.manager.client import ManagerClient
from runyard_actors.store.reader import StoreReader
from runyard_cluster.errors import UnavailableError

log = logging.getLogger("runyard.server")

#: Messages, and bytes, that a listener may be behind before it is let go.
QUEUE_LENGTH, QUEUE_BYTES = 1_000, 4 * 1024 * 1024
#: A comment is sent after this many quiet seconds, so that dead connections are noticed.
HEARTBEAT_SECONDS = 15.0
#: How long one call to the manager waits for news.
WAIT_SECONDS = 20.0
RETRY_SECONDS = 0.5
#: After news were read the next ones gather, for so long at most and so long for each of those that were read: a storm
#: of commits costs a reading now and then, and a single run's start is not held up for its end, nor is the last end.
GATHER_SECONDS, GATHER_SECONDS_EACH = 0.01, 0.0005
USAGE_SECONDS = 1.0


class Waiting(asyncio.Queue["Chunk | None"]):
    """What waits for one listener, of the kinds that it wants; None ends its stream."""

    def __init__(self, kinds: frozenset[str]) -> None:
        self.kinds = kinds
        self._bytes = 0
        super().__init__(QUEUE_LENGTH)

    def full(self) -> bool:
        """Whether the listener is too far behind."""
        return super().full() or self._bytes >= QUEUE_BYTES

    def end(self) -> None:
        """End the stream: after what waits for it, or, when it fell behind, where it stands.

        With only some of the waiting events left out it would resume behind them, and never hear of those.
        """
        if self.full():
            while not self.empty():
                self.get_nowait()
        self.put_nowait(None)

    def _put(self, item: Chunk | None) -> None:
        self._bytes += len(item.data) if item else 0
        super()._put(item)

    def _get(self) -> Chunk | None:
        item = super()._get()
        self._bytes -= len(item.data) if item else 0
        return item


class Hub:
    """Fans the store's events out to any number of streams."""

    def __init__(self, reader: StoreReader, manager: Callable[[], ManagerClient]) -> None:
        self._reader = reader
        self._manager = manager
        self._listeners: set[Waiting] = set()
        self._pages = EventPages(partial(self._read, wanted=ALL_KINDS))
        self._has_begun = asyncio.Event()
        self._closed = False
        self._takers: list[tuple[frozenset[str], Callable[[dict[str, Any]], None]]] = []
        self.last_seq = 0

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return len(self._listeners)

    @property
    def is_closed(self) -> bool:
        """Whether the server is leaving."""
        return self._closed

    def tell(self, take: Callable[[dict[str, Any]], None], kinds: frozenset[str]) -> None:
        """Call `take` with every event of these kinds, and its run as it stands then."""
        self._takers.append((kinds, take))

    async def run(self) -> None:
        """Read news from the store as the manager tells of them, for ever."""
        self.last_seq = await asyncio.to_thread(self._reader.last_seq)
        self._has_begun.set()
        gather = 0.0
        while not self._closed:
            try:
                newest = await self._manager().wait_changes(self.last_seq, WAIT_SECONDS, gather)
                count = await self._forward_until(newest)
                gather = min(GATHER_SECONDS, count * GATHER_SECONDS_EACH)
            except UnavailableError:
                await asyncio.sleep(RETRY_SECONDS)

    async def tell_usage(self) -> None:
        """While anybody listens, tell once a second what active runs use, for ever."""
        while not self._closed:
            await asyncio.sleep(USAGE_SECONDS)
            if not any(USAGE in waiting.kinds for waiting in self._listeners):
                continue
            try:
                runs = await self._manager().usage()
            except UnavailableError:
                continue
            if runs:
                self.send(USAGE, {"kind": USAGE, "at": time.time(), "runs": [asdict(r) for r in runs]})

    async def stream(self, since: int | None, kinds: frozenset[str] = ALL_KINDS) -> AsyncIterator[bytes]:
        """Yield events of these kinds as Server-Sent Events: those stored after `since`, then live ones.

        A number that is not given out yet comes from a store that was here before: the newest one is taken.
        """
        waiting = Waiting(kinds)
        self._listeners.add(waiting)
        try:
            # Callers who lost an earlier server are here before the last number is known.
            await self._has_begun.wait()
            sent = self.last_seq if since is None else since
            if sent > self.last_seq:
                sent = min(sent, await asyncio.to_thread(self._reader.last_seq))
            opened = {"kind": "open", "seq": sent}
            yield f"retry: 1000\nid: {sent}\nevent: open\ndata: {json.dumps(opened)}\n\n".encode()
            while sent < self.last_seq:
                late = [c for c in await self._pages.after(sent, self.last_seq) if c.numbers[-1] > sent]
                if not late:
                    break
                for chunk in late:
                    yield chunk.after(sent, kinds)
                sent = late[-1].numbers[-1]
            async for data in self._live(waiting, sent):
                yield data
        finally:
            self._listeners.discard(waiting)
            if not self._listeners:
                self._pages.clear()

    def send(self, kind: str, data: dict[str, Any]) -> None:
        """Hand listeners something that is not stored, as usage."""
        text = json.dumps(data, separators=(",", ":"))
        self._put(Chunk(f"event: {kind}\ndata: {text}\n\n".encode(), (kind,)))

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._has_begun.set()
        for waiting in self._listeners:
            waiting.end()

    async def _forward_until(self, newest: int) -> int:
        """Hand on what was stored since the last time; return how much that was."""
        count = 0
        while self.last_seq < newest:
            wanted = self._wanted()
            events = await asyncio.to_thread(self._read, self.last_seq, wanted)
            if not events:
                break
            if not self._wanted() <= wanted:
                # Somebody came meanwhile who wants more than was read.
                continue
            count += len(events)
            # What nobody wants is not encoded, which is most of what a burst costs here.
            for chunk in chunks([event for event in events if event["kind"] in wanted]):
                self._put(chunk)
            self.last_seq = events[-1]["seq"]
            for event in events:
                for kinds, take in self._takers:
                    if event["kind"] in kinds:
                        take(event)
        return count

    def _wanted(self) -> frozenset[str]:
        """Return the kinds that any listener wants."""
        return frozenset[str]().union(*(waiting.kinds for waiting in self._listeners))

    def _read(self, after: int, wanted: frozenset[str]) -> list[dict[str, Any]]:
        """Return the next events, those that are wanted here or there with their runs as they stand now."""
        events = self._reader.events(after, PAGE)
        shown = wanted.union(*(kinds for kinds, _ in self._takers))
        runs = self._reader.runs_by_id(
            list({e["run_id"] for e in events if e["run_id"] and e["kind"] in shown})
        )
        return [{**e, "run": runs.get(e["run_id"])} for e in events]

    def _put(self, chunk: Chunk) -> None:
        for waiting in list(self._listeners):
            if waiting.kinds.isdisjoint(chunk.kinds):
                continue
            if waiting.full():
                self._listeners.discard(waiting)
                waiting.end()
            else:
                waiting.put_nowait(chunk)

    async def _live(self, waiting: Waiting, sent: int) -> AsyncIterator[bytes]:
        is_open = True
        while is_open:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    chunk = await waiting.get()
            except TimeoutError:
                # Its number says that all before was sent or not wanted: who resumes need not begin further back.
                yield b":\nid: %d\n\n" % self.last_seq if waiting.empty() else b":\n\n"
                continue
            data, is_open = _gathered(chunk, waiting, sent)
            if data:
                yield data


def _gathered(chunk: Chunk | None, waiting: Waiting, sent: int) -> tuple[bytes, bool]:
    """Join a chunk with those that wait behind it; the second value is False once nothing more will come."""
    parts, size = list[bytes](), 0
    while chunk is not None:
        parts.append(chunk.after(sent, waiting.kinds))
        size += len(parts[-1])
        if size >= CHUNK_BYTES or waiting.empty():
            break
        chunk = waiting.get_nowait()
    return parts[0] if len(parts) == 1 else b"".join(parts), chunk is not None
