"""Submissions that come while a message is under way share the next one; each caller gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from runyard_actors.ids import new_ids
from runyard_actors.manager.gathering import FULL, LARGE, MESSAGES, Answer, Gathering
from runyard_actors.manager.messages import Accepted, Refused, Submission
from runyard_actors.run import RunId, RunSpec
from runyard_cluster.errors import ResourceLimitError, UnavailableError


class Manager:
    """Takes messages, and answers each when it is told to."""

    def __init__(self) -> None:
        self.messages: list[list[Submission]] = []
        self.answers: list[asyncio.Future[Sequence[Answer]]] = []

    async def __call__(self, submissions: Sequence[Submission]) -> Sequence[Answer]:
        self.messages.append(list(submissions))
        self.answers.append(asyncio.get_running_loop().create_future())
        return await self.answers[-1]

    def accept(self, message: int) -> None:
        """Answer a message: all in it is accepted."""
        self.answers[message].set_result([accepted(s) for s in self.messages[message]])


def submission(runs: int = 1) -> Submission:
    """Return a submission of that many runs."""
    return Submission(
        runs=tuple(
            RunSpec(run_id=RunId(i), module_id="m", module_name="m", command=("true",), cwd="/")
            for i in new_ids(runs)
        )
    )


def accepted(one: Submission) -> Accepted:
    """Return the answer that accepts it."""
    return Accepted(run_ids=tuple(run.run_id for run in one.runs), batch_id=None)


async def settle() -> None:
    """Let all that can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_the_first_goes_at_once_and_those_that_come_meanwhile_go_together() -> None:
    async def story() -> None:
        manager = Manager()
        gathering = Gathering(manager)
        wanted = [submission() for _ in range(MESSAGES + 5)]
        callers = []
        for one in wanted:
            callers.append(asyncio.create_task(gathering.submit(one)))
            await settle()
        # Given as many messages under way as may be
        assert manager.messages == [[one] for one in wanted[:MESSAGES]]
        # When one is answered, then all others go in one message, in order
        manager.accept(0)
        await settle()
        assert manager.messages[MESSAGES:] == [wanted[MESSAGES:]]
        for message in range(1, MESSAGES + 1):
            manager.accept(message)
        # Then everybody has its own answer
        assert await asyncio.gather(*callers) == [accepted(one) for one in wanted]

    asyncio.run(story())


def test_a_large_submission_waits_for_nobody_and_nobody_waits_for_it() -> None:
    async def story() -> None:
        manager = Manager()
        gathering = Gathering(manager)
        large = [submission(LARGE) for _ in range(MESSAGES + 1)]
        callers = [asyncio.create_task(gathering.submit(one)) for one in large]
        small = submission()
        callers.append(asyncio.create_task(gathering.submit(small)))
        await settle()
        assert sorted(map(len, manager.messages)) == [1] * (MESSAGES + 2)
        for message in range(MESSAGES + 2):
            manager.accept(message)
        assert await asyncio.gather(*callers) == [accepted(one) for one in [*large, small]]

    asyncio.run(story())


def test_no_message_is_longer_than_it_may_be() -> None:
    async def story() -> None:
        manager = Manager()
        gathering = Gathering(manager)
        callers = [asyncio.create_task(gathering.submit(submission())) for _ in range(MESSAGES + FULL + 1)]
        for message in range(MESSAGES + 2):
            await settle()
            manager.accept(message)
        await asyncio.gather(*callers)
        assert [len(m) for m in manager.messages] == [1] * MESSAGES + [FULL, 1]

    asyncio.run(story())


def test_a_refusal_and_a_lost_message_reach_those_they_are_for_and_nobody_else() -> None:
    async def story() -> None:
        manager = Manager()
        gathering = Gathering(manager)
        first = [asyncio.create_task(gathering.submit(submission())) for _ in range(MESSAGES)]
        await settle()
        good, bad = submission(), submission()
        second = [asyncio.create_task(gathering.submit(one)) for one in (good, bad)]
        refused = Refused(ResourceLimitError("too large"))
        manager.answers[0].set_exception(UnavailableError("gone"))
        await settle()
        manager.answers[MESSAGES].set_result([accepted(good), refused])
        assert await asyncio.gather(*second) == [accepted(good), refused]
        with pytest.raises(UnavailableError, match="gone"):
            await first[0]
        assert not first[1].done()
        manager.accept(1)
        assert isinstance(await first[1], Accepted)

    asyncio.run(story())


def test_who_left_before_its_message_went_is_not_sent() -> None:
    async def story() -> None:
        manager = Manager()
        gathering = Gathering(manager)
        first = [asyncio.create_task(gathering.submit(submission())) for _ in range(MESSAGES)]
        stays, leaves = submission(), submission()
        left = asyncio.create_task(gathering.submit(leaves))
        stayed = asyncio.create_task(gathering.submit(stays))
        await settle()
        left.cancel()
        manager.accept(0)
        await settle()
        assert manager.messages[MESSAGES:] == [[stays]]
        for message in range(1, MESSAGES + 1):
            manager.accept(message)
        await asyncio.gather(*first, stayed)
        assert left.cancelled()

    asyncio.run(story())
