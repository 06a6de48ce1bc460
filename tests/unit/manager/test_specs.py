"""Specs of runs that are about to start: read in few readings, never twice, and never an old one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

import pytest

from runyard_actors.manager.specs import AHEAD, MOST_KEPT, Specs
from runyard_actors.run import RunId, RunSpec
from runyard_actors.store.errors import StoreUnavailable
from tests.unit.store import making


class Stored:
    """A queue of runs whose specs are in the store."""

    def __init__(self, count: int) -> None:
        self.stored = {spec.run_id: spec for spec in making.specs(count)}
        self.queue: list[RunId] = list(self.stored)
        self.readings: list[list[RunId]] = []
        self.is_down = False
        self.tasks: list[asyncio.Task[None]] = []
        self.specs = Specs(self.read, lambda count: self.queue[:count], self.spawn)

    def read(self, run_ids: Sequence[RunId]) -> dict[RunId, RunSpec]:
        self.readings.append(list(run_ids))
        if self.is_down:
            raise StoreUnavailable("it cannot be read now")
        return {run_id: self.stored[run_id] for run_id in run_ids if run_id in self.stored}

    def spawn(self, work: Awaitable[None], name: str) -> None:
        del name

        async def done() -> None:
            await work

        self.tasks.append(asyncio.ensure_future(done()))

    async def start(self, count: int = 1) -> None:
        """Start so many of the first in line, each by itself."""
        started, self.queue = self.queue[:count], self.queue[count:]
        found = await asyncio.gather(*(self._take(run_id) for run_id in started))
        assert found == [{run_id: self.stored[run_id]} for run_id in started]

    async def _take(self, run_id: RunId) -> dict[RunId, RunSpec]:
        return self.specs.at_hand([run_id]) or await self.specs.take([run_id])


def test_ten_that_start_at_once_share_a_reading_with_the_next_in_line() -> None:
    async def work() -> None:
        yard = Stored(200)
        await yard.start(10)
        assert len(yard.readings) <= 2
        assert sum(map(len, yard.readings)) <= 10 + 2 * AHEAD

    asyncio.run(work())


def test_a_queue_is_read_once_each_run_and_nobody_waits_after_the_first() -> None:
    async def work() -> None:
        yard = Stored(1_000)
        await yard.start()
        while yard.queue:
            first = yard.queue[0]
            found = yard.specs.at_hand([first])
            assert found == {first: yard.stored[first]}
            yard.queue.pop(0)
            while yard.tasks:
                await yard.tasks.pop()
        read = [run_id for reading in yard.readings for run_id in reading]
        assert len(read) == len(set(read)) == 1_000
        assert len(yard.readings) < 2 * 1_000 / AHEAD + 3
        assert len(yard.specs) == 0

    asyncio.run(work())


def test_few_are_at_hand_and_many_are_not_kept() -> None:
    async def work() -> None:
        yard = Stored(MOST_KEPT + 1)
        few, many = list(yard.stored.values())[:3], list(yard.stored.values())
        yard.specs.keep_if_few(few)
        yard.specs.keep_if_few(many)
        assert len(yard.specs) == 3
        assert yard.specs.at_hand([few[0].run_id, few[1].run_id]) == {s.run_id: s for s in few[:2]}
        assert yard.specs.at_hand([few[2].run_id, many[5].run_id]) is None
        assert len(yard.specs) == 1

    asyncio.run(work())


def test_what_a_retry_asks_for_is_not_read_back_as_it_was() -> None:
    async def work() -> None:
        yard = Stored(5)
        again = yard.queue[2]
        larger = making.specs(1)[0]
        yard.specs.keep(larger)
        yard.stored[larger.run_id] = yard.stored[again]
        yard.queue.insert(0, larger.run_id)
        await yard.specs.take([again])
        assert yard.specs.at_hand([larger.run_id]) == {larger.run_id: larger}

    asyncio.run(work())


def test_who_is_cancelled_while_it_is_read_leaves_nothing_behind() -> None:
    async def work() -> None:
        yard = Stored(3)
        reading = asyncio.ensure_future(yard.specs.take([yard.queue.pop(0)]))
        await asyncio.sleep(0)
        for run_id in yard.queue:
            yard.specs.forget(run_id)
        yard.queue.clear()
        await reading
        assert len(yard.specs) == 0

    asyncio.run(work())


def test_everybody_is_told_that_the_store_cannot_be_read_and_goes_on_afterwards() -> None:
    async def work() -> None:
        yard = Stored(20)
        yard.is_down = True
        answers = await asyncio.gather(
            *(yard.specs.take([run_id]) for run_id in yard.queue[:5]), return_exceptions=True
        )
        assert all(isinstance(answer, StoreUnavailable) for answer in answers)
        yard.is_down = False
        await yard.start(5)

    asyncio.run(work())


def test_one_that_was_forgotten_is_left_out() -> None:
    async def work() -> None:
        yard = Stored(2)
        gone = RunId("gone")
        known = yard.queue[0]
        assert await yard.specs.take([gone, known]) == {known: yard.stored[known]}

    asyncio.run(work())


def test_a_reading_ahead_that_fails_is_nobodys_trouble(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        yard = Stored(200)
        await yard.start(AHEAD)
        yard.is_down = True
        while (first := yard.queue[0]) and yard.specs.at_hand([first]):
            yard.queue.pop(0)
            while yard.tasks:
                await yard.tasks.pop()
        yard.is_down = False
        await yard.start(5)

    asyncio.run(work())
    assert not caplog.records
