"""A single run that may start at once is accepted and started by one commit, or neither."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest

from runyard_actors.manager.messages import Accepted, Refused
from runyard_actors.store.connection import BUSY_SECONDS
from tests.in_process import InProcess
from tests.integration.test_submit_races import committed_but_not_queued, shared, submission
from tests.support import wait_until

__all__ = ["shared"]


@pytest.fixture
def server(shared: InProcess) -> Iterator[InProcess]:
    """The server, which has nothing to do."""
    yield shared
    shared.call(shared.manager.cancel(list(shared.manager._yard.core._runs.entries), None))
    wait_until(lambda: not shared.manager._yard.active, 20, "all runs ended")


def test_its_attempt_is_there_as_soon_as_it_is(server: InProcess) -> None:
    async def story() -> None:
        one = submission()
        task = await committed_but_not_queued(server, one)
        assert len(server.context.reader.attempts(one.runs[0].run_id)) == 1
        assert isinstance((await task)[0], Accepted)

    server.call(story())


def test_who_comes_behind_somebody_queues(server: InProcess) -> None:
    async def story() -> None:
        answers = await server.manager.submit([submission() for _ in range(3)])
        assert [isinstance(answer, Accepted) for answer in answers] == [True] * 3
        counts = server.manager._yard.core.counts()
        assert (counts.active, counts.queued) == (2, 1)

    server.call(story())


def test_it_takes_one_slot_while_it_is_committed(server: InProcess) -> None:
    async def story() -> None:
        rejecting = [replace(submission(), when_full="reject") for _ in range(3)]
        answers = await server.manager.submit(rejecting)
        assert [isinstance(answer, Accepted) for answer in answers] == [True, True, False]

    server.call(story())


def test_a_repeat_leaves_no_trace(server: InProcess) -> None:
    async def story() -> None:
        one, twin = (replace(submission(), idempotency_key="once", digest="d") for _ in range(2))
        first, second = await server.manager.submit([one, twin])
        same = (await server.manager.submit([one]))[0]
        assert first.run_ids == second.run_ids == same.run_ids
        assert (first.is_repeat, second.is_repeat, same.is_repeat) == (False, True, True)
        assert list(server.manager._yard.active) == list(first.run_ids)
        counts = server.manager._yard.core.counts()
        assert (counts.active, counts.queued) == (1, 0)

    server.call(story())


def test_while_the_store_takes_nothing_nothing_starts_and_nothing_is_held(server: InProcess) -> None:
    yard = server.manager._yard
    lock = sqlite3.connect(server.context.settings.data.database, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        refused = server.call(server.manager.submit([submission()]))[0]
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    assert isinstance(refused, Refused), f"the lock was held for more than {BUSY_SECONDS} s"
    assert type(refused.error).__name__ == "StoreUnavailable"
    assert not yard.active and not yard.core.counts().active and not yard.core.counts().queued
    assert isinstance(server.call(server.manager.submit([submission()]))[0], Accepted)


def test_a_cancel_right_behind_it_stops_it(server: InProcess) -> None:
    async def story() -> None:
        one = submission()
        task = asyncio.create_task(server.manager.submit([one]))
        while not server.manager._yard.active:
            await asyncio.sleep(0)
        answer = await server.manager.cancel([one.runs[0].run_id], None)
        assert answer.stopping == (one.runs[0].run_id,)
        assert isinstance((await task)[0], Accepted)

    server.call(story())
