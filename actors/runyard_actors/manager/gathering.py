"""Gathering: while one message with submissions is under way to the manager, those that come meanwhile share the next.

An actor call costs as much as all else that a submission does, so fifty callers at once would cost fifty times that.
The store does the same with its commits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import TypeAlias

from runyard_actors.manager.messages import Accepted, Refused, Submission

#: Messages under way at once: while one is being committed, the next is on its way.
MESSAGES = 2
#: Runs from which on a submission goes by itself: nobody waits for the commit of somebody else's large batch.
LARGE = 100
#: Submissions one message carries at most.
FULL = 500

Answer: TypeAlias = Accepted | Refused
Send: TypeAlias = Callable[[Sequence[Submission]], Awaitable[Sequence[Answer]]]


class Gathering:
    """Carries submissions to the manager and each one's answer back; `send` carries one message."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: deque[tuple[Submission, asyncio.Future[Answer]]] = deque()
        self._messages: set[asyncio.Task[None]] = set()

    async def submit(self, submission: Submission) -> Answer:
        """Return the manager's answer. Raises what `send` raised for the message it went with."""
        if len(submission.runs) >= LARGE:
            return (await self._send([submission]))[0]
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((submission, answer))
        self._send_waiting()
        return await answer

    def _send_waiting(self) -> None:
        while self._waiting and len(self._messages) < MESSAGES:
            gathered = list(islice(self._waiting, FULL))
            for _ in gathered:
                self._waiting.popleft()
            message = asyncio.get_running_loop().create_task(self._carry(gathered), name="submissions")
            self._messages.add(message)
            message.add_done_callback(self._on_answered)

    def _on_answered(self, message: asyncio.Task[None]) -> None:
        self._messages.discard(message)
        self._send_waiting()

    async def _carry(self, gathered: Sequence[tuple[Submission, asyncio.Future[Answer]]]) -> None:
        # Who has left meanwhile was not promised anything, and is not sent.
        wanted = [(submission, answer) for submission, answer in gathered if not answer.done()]
        if not wanted:
            return
        try:
            answers = await self._send([submission for submission, _ in wanted])
        except Exception as error:
            # Whatever it was: those who wait hear of it now, and not when their patience ends.
            for _, answer in wanted:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), found in zip(wanted, answers, strict=True):
            if not answer.done():
                answer.set_result(found)
