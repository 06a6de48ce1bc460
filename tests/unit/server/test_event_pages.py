"""Events for listeners that come late: read once for all of them, and whole for each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from runyard.server.event_pages import CHUNK_BYTES, MOST_PAGES, PAGE, EventPages, chunks, encode


class Store:
    """Events by their numbers, and how often they were read."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers = list(numbers)
        self.reads: list[int] = []

    def read(self, after: int) -> list[dict[str, Any]]:
        """Return the first events after a number."""
        self.reads.append(after)
        return [event(n) for n in self.numbers if n > after][:PAGE]


def event(number: int) -> dict[str, Any]:
    """Return an event of that number."""
    return {"seq": number, "kind": "run_started", "words": "x" * 300}


async def caught_up(pages: EventPages, store: Store, seq: int) -> bytes:
    """Return all that a listener is sent that heard everything up to `seq`."""
    sent = b""
    while late := [c for c in await pages.after(seq, store.numbers[-1]) if c.numbers[-1] > seq]:
        sent += b"".join(chunk.after(seq) for chunk in late)
        seq = late[-1].numbers[-1]
    return sent


def wanted(numbers: Sequence[int]) -> bytes:
    """Return these events as they are sent."""
    return b"".join(encode(event(number)) for number in numbers)


@pytest.mark.parametrize("seq", [0, 1, PAGE - 1, PAGE, PAGE + 1, 1233, 1234])
@pytest.mark.parametrize("missing", [range(0), range(400, 1100), range(490, 510), range(1, 700)])
def test_a_listener_gets_what_it_lacks_and_no_more(seq: int, missing: range) -> None:
    numbers = [n for n in range(1, 1235) if n not in missing]
    store = Store(numbers)
    sent = asyncio.run(caught_up(EventPages(store.read), store, seq))
    assert sent == wanted([n for n in numbers if n > seq])


@pytest.mark.parametrize("seq", [0, 1, 49, 50, 99])
@pytest.mark.parametrize("kinds", [{"run_ended"}, {"run_started", "run_ended"}, {"run_held"}])
def test_of_a_chunk_one_gets_the_kinds_that_are_wanted(seq: int, kinds: set[str]) -> None:
    all_kinds = ("run_started", "run_progressed", "run_ended")
    events = [{**event(n), "kind": all_kinds[n % 3]} for n in range(1, 100)]
    sent = b"".join(chunk.after(seq, frozenset(kinds)) for chunk in chunks(events))
    assert sent == b"".join(encode(e) for e in events if e["seq"] > seq and e["kind"] in kinds)


def test_many_that_come_late_read_the_store_once() -> None:
    store = Store(range(1, 3 * PAGE + 100))

    async def all_of_them() -> list[bytes]:
        pages = EventPages(store.read)
        return await asyncio.gather(*(caught_up(pages, store, seq) for seq in range(200)))

    sent = asyncio.run(all_of_them())
    assert sent[17] == wanted(store.numbers[17:])
    assert store.reads == [0, PAGE, 2 * PAGE, 3 * PAGE]


def test_a_page_that_was_not_full_is_read_again_when_there_is_more() -> None:
    store = Store(range(1, 50))

    async def twice() -> bytes:
        pages = EventPages(store.read)
        await caught_up(pages, store, 0)
        store.numbers.append(50)
        return await caught_up(pages, store, 49)

    assert asyncio.run(twice()) == wanted([50])


def test_few_pages_are_kept() -> None:
    store = Store(range(1, (MOST_PAGES + 3) * PAGE + 1))

    async def after_all() -> int:
        pages = EventPages(store.read)
        await caught_up(pages, store, 0)
        kept = len(pages._pages)
        pages.clear()
        return kept

    assert asyncio.run(after_all()) == MOST_PAGES


def test_chunks_are_of_bounded_size_and_lose_nothing() -> None:
    found = list(chunks([event(n) for n in range(1, PAGE)]))
    largest = len(encode(event(PAGE)))
    assert b"".join(chunk.data for chunk in found) == wanted(range(1, PAGE))
    assert all(len(chunk.data) < CHUNK_BYTES + largest for chunk in found)
    assert [n for chunk in found for n in chunk.numbers] == list(range(1, PAGE))
