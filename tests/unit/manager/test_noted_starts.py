"""When it is recorded that a process runs: with others, soon, or with what its run does next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from runyard_actors.manager.noted_starts import NotedStarts
from runyard_actors.run import RunId
from runyard_actors.store.changes import AttemptStarted


def started(run_id: str) -> AttemptStarted:
    return AttemptStarted(run_id=RunId(run_id), attempt=1, pid=1, at=1)


async def until_written(written: list[Sequence[AttemptStarted]]) -> None:
    async with asyncio.timeout(10):
        while not written:
            await asyncio.sleep(0)


def test_starts_that_are_heard_of_together_are_written_together() -> None:
    written: list[Sequence[AttemptStarted]] = []

    async def hear() -> None:
        noted = NotedStarts(written.append)
        noted.note(started("a"))
        noted.note(started("b"))
        assert not written
        await until_written(written)
        noted.note(started("c"))
        await asyncio.sleep(0)
        noted.write()

    asyncio.run(hear())
    assert written == [[started("a"), started("b")], [started("c")]]


def test_what_is_taken_for_the_end_is_not_written_again() -> None:
    written: list[Sequence[AttemptStarted]] = []

    async def hear() -> None:
        noted = NotedStarts(written.append)
        noted.note(started("a"))
        noted.note(started("b"))
        assert noted.take(RunId("a")) == started("a")
        assert noted.take(RunId("a")) is None
        await until_written(written)
        assert noted.take(RunId("b")) is None

    asyncio.run(hear())
    assert written == [[started("b")]]


def test_nothing_is_written_where_all_of_it_was_taken() -> None:
    written: list[Sequence[AttemptStarted]] = []

    async def hear() -> None:
        noted = NotedStarts(written.append)
        noted.note(started("a"))
        noted.take(RunId("a"))
        noted.write()

    asyncio.run(hear())
    assert written == []
