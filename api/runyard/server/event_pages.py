"""Stored events as they are sent: each encoded once, and read once for all listeners that come late to it.

Hundreds of listeners that fall behind a storm of events resume at the same moment; did each read the store for itself,
they would do nothing else for minutes, and nobody else would be answered.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

Event = dict[str, Any]

#: Events read from the store at once.
PAGE = 500
#: Pages that are kept for who comes next, of about a megabyte each.
MOST_PAGES = 8
#: Events are sent together, up to about so many bytes: a burst costs few writes.
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """Messages that are sent together: the numbers of those that are stored events, and where each of them begins."""

    data: bytes
    numbers: Sequence[int] = ()
    starts: Sequence[int] = ()

    def after(self, seq: int) -> bytes:
        """Return what is left without events up to that number."""
        known = bisect_right(self.numbers, seq)
        if not known:
            return self.data
        return self.data[self.starts[known] :] if known < len(self.numbers) else b""


@dataclass(frozen=True, slots=True)
class _Page:
    """The events right after a number that divides by PAGE; `newest` was the last of all when they were read."""

    chunks: Sequence[Chunk]
    newest: int
    is_full: bool


class EventPages:
    """Pages of events for listeners that are behind. `read` returns the first PAGE events after a number."""

    def __init__(self, read: Callable[[int], list[Event]]) -> None:
        self._read = read
        self._pages: OrderedDict[int, _Page] = OrderedDict()
        self._reading = asyncio.Lock()

    async def after(self, seq: int, newest: int) -> Sequence[Chunk]:
        """Return chunks that hold the next events after `seq`, and may begin before it; `newest` is there by now."""
        number = seq // PAGE
        async with self._reading:
            page = self._pages.get(number)
            if page is None or not (page.is_full or page.newest >= newest):
                events = await asyncio.to_thread(self._read, number * PAGE)
                page = _Page(tuple(chunks(events)), newest, len(events) >= PAGE)
            self._keep(number, page)
        return page.chunks

    def clear(self) -> None:
        """Forget all pages: nobody listens."""
        self._pages.clear()

    def _keep(self, number: int, page: _Page) -> None:
        self._pages[number] = page
        self._pages.move_to_end(number)
        while len(self._pages) > MOST_PAGES:
            self._pages.popitem(last=False)


def chunks(events: Sequence[Event]) -> Iterator[Chunk]:
    """Join events, in their order, to chunks of about CHUNK_BYTES."""
    data, numbers, starts = bytearray(), list[int](), list[int]()
    for event in events:
        numbers.append(event["seq"])
        starts.append(len(data))
        data += encode(event)
        if len(data) >= CHUNK_BYTES:
            yield Chunk(bytes(data), numbers, starts)
            data, numbers, starts = bytearray(), [], []
    if data:
        yield Chunk(bytes(data), numbers, starts)


def encode(event: Event) -> bytes:
    """Return a stored event as one Server-Sent Event, its number as the id."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event["seq"], event["kind"].encode(), to_json(event))
