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

from runyard_actors.store.event_kinds import EVENT_KINDS

#: What a stream may tell of: stored events, and once a second what active runs use.
USAGE = "usage"
ALL_KINDS: frozenset[str] = EVENT_KINDS | {USAGE}

Event = dict[str, Any]

#: Events read from the store at once.
PAGE = 500
#: Pages that are kept for who comes next, of about a megabyte each.
MOST_PAGES = 8
#: Events are sent together, up to about so many bytes: a burst costs few writes.
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """Messages that are sent together: of what kind each is, where it begins, and the numbers of stored events."""

    data: bytes
    kinds: Sequence[str]
    starts: Sequence[int] = (0,)
    numbers: Sequence[int] = ()

    def after(self, seq: int, wanted: frozenset[str] = ALL_KINDS) -> bytes:
        """Return what is left without events up to that number, and those that are not wanted."""
        known = bisect_right(self.numbers, seq)
        if wanted.issuperset(self.kinds):
            return self.data[self.starts[known] :] if known < len(self.starts) else b""
        ends = (*self.starts[1:], len(self.data))
        rest = zip(self.kinds[known:], self.starts[known:], ends[known:], strict=True)
        return b"".join(self.data[start:end] for kind, start, end in rest if kind in wanted)


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
    data, kinds, starts, numbers = bytearray(), list[str](), list[int](), list[int]()
    for event in events:
        kinds.append(event["kind"])
        starts.append(len(data))
        numbers.append(event["seq"])
        data += encode(event)
        if len(data) >= CHUNK_BYTES:
            yield Chunk(bytes(data), kinds, starts, numbers)
            data, kinds, starts, numbers = bytearray(), [], [], []
    if data:
        yield Chunk(bytes(data), kinds, starts, numbers)


def encode(event: Event) -> bytes:
    """Return a stored event as one Server-Sent Event, its number as the id."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event["seq"], event["kind"].encode(), to_json(event))
