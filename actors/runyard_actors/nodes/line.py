"""The line: the manager's end of the talk with the agent of another node.

It hands over what the node is to keep, and takes the news of it. Whatever breaks, the agent, the network or the
manager, both ends say everything again when they find each other, and each attempt still starts at most once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from runyard_actors.assignment import Assignment, Started
from runyard_actors.nodes.messages import Lost, News, NodeFacts
from runyard_actors.run import AttemptKey, Outcome
from runyard_actors.stopping import StopOrder
from runyard_cluster.errors import UnavailableError

log = logging.getLogger("runyard.manager")

#: The agent answers a question for news after so many seconds at the latest: this is how it is heard of.
POLL_SECONDS = 2.0
#: Any answer beyond so many seconds is not waited for.
ANSWER_SECONDS = 10.0
#: Pause between two tries to reach an agent.
RETRY_SECONDS = 0.5


class Agent(Protocol):
    """Calls to an agent, wherever it lives."""

    async def call(self, method: str, *args: Any) -> Any:
        """Return the method's answer. Raises UnavailableError when the agent cannot be reached."""
        ...


@dataclass(slots=True, eq=False)
class _Kept:
    assignment: Assignment
    on_started: Callable[[Started], None]
    outcome: asyncio.Future[Outcome]


class Line:
    """One node's line. It is open once the agent has told what the node is, and was handed all that it is to keep."""

    def __init__(self, name: str, epoch: int) -> None:
        self.name = name
        #: The number of the manager that talks, by which an agent tells it from earlier ones.
        self._epoch = epoch
        self.facts: NodeFacts | None = None
        #: Called whenever the agent is heard of.
        self.on_heard: Callable[[], None] = lambda: None
        #: Awaited with the facts before anything is handed over, and once all of it is.
        self.on_found: Callable[[NodeFacts], Awaitable[None]] | None = None
        self.on_open: Callable[[], None] = lambda: None
        self.is_open = asyncio.Event()
        self._agent: Agent | None = None
        self._kept: dict[AttemptKey, _Kept] = {}
        self._orders: dict[AttemptKey, StopOrder] = {}
        #: Orders that the agent was not told of yet, or could not carry out for now.
        self._undone: set[AttemptKey] = set()
        self._seen = 0
        #: Whether what is to be kept from now on is told at once, as the agent was found.
        self._is_found = False

    async def keep(self, assignment: Assignment, on_started: Callable[[Started], None]) -> Outcome:
        """Have the node start the attempt, or adopt it; return how it ended, however long that cannot be heard."""
        key = (assignment.run_id, assignment.attempt)
        kept = _Kept(assignment, on_started, asyncio.get_running_loop().create_future())
        self._kept[key] = kept
        try:
            await self._try(partial(self.ask, "keep", [assignment]))
            return await kept.outcome
        finally:
            self._kept.pop(key, None)
            self._orders.pop(key, None)
            self._undone.discard(key)

    async def stop(self, order: StopOrder) -> None:
        """Have an attempt end, or never start; told again until it has, if the node is not heard of now."""
        self._orders[order.key] = order
        self._undone.add(order.key)
        await self._try(self._stop_undone)

    async def ask(self, method: str, *args: Any, limit_seconds: float = ANSWER_SECONDS) -> Any:
        """Return an answer of the agent's. Raises UnavailableError."""
        agent = self._agent
        if agent is None:
            raise UnavailableError(f"node {self.name} is not heard of")
        try:
            async with asyncio.timeout(limit_seconds):
                return await agent.call(method, *args)
        except TimeoutError as error:
            words = f"node {self.name} did not answer in {limit_seconds:g} s"
            raise UnavailableError(words) from error

    async def end_lost(self, lost: Sequence[Lost]) -> list[AttemptKey]:
        """End what is left of attempts that were given up; return those of which something does not die."""
        stuck: list[AttemptKey] = await self.ask("end_lost", lost, limit_seconds=3 * ANSWER_SECONDS)
        return stuck

    def find_anew(self) -> None:
        """Have the agent told everything again before it is counted with."""
        self._is_found = False
        self.is_open.clear()

    async def talk(self, agent: Agent) -> None:
        """Talk with this agent, for ever: find it, hand over, take its news."""
        self._agent = agent
        try:
            while True:
                await self._talk_once()
                self._close()
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._close()

    async def _talk_once(self) -> None:
        try:
            await self._open()
            while self._is_found and await self._take_news() and self._is_found:
                self.on_heard()
                await self._stop_undone()
        except UnavailableError as error:
            if self.is_open.is_set():
                log.warning("%s", error)

    def _close(self) -> None:
        self._is_found = False
        self.is_open.clear()

    async def _open(self) -> None:
        facts: NodeFacts = await self.ask("facts", self._epoch)
        self.facts, self._seen = facts, 0
        if self.on_found:
            await self.on_found(facts)
        self._is_found = True
        self._undone = set(self._orders)
        await self._stop_undone()
        await self.ask("keep", [kept.assignment for kept in self._kept.values()])
        self.is_open.set()
        self.on_heard()
        self.on_open()

    async def _take_news(self) -> bool:
        assert self.facts is not None
        limit = POLL_SECONDS + ANSWER_SECONDS
        found: list[News] | None = await self.ask(
            "news", self.facts.incarnation, self._seen, POLL_SECONDS, limit_seconds=limit
        )
        for news in found or ():
            self._seen = max(self._seen, news.number)
            self._take(news)
        return found is not None

    def _take(self, news: News) -> None:
        kept = self._kept.get(news.key)
        if kept is None:
            return
        if news.started:
            kept.on_started(news.started)
        if news.outcome and not kept.outcome.done():
            kept.outcome.set_result(news.outcome)

    async def _stop_undone(self) -> None:
        orders = [self._orders[key] for key in self._undone if key in self._orders]
        if orders:
            undone: list[AttemptKey] = await self.ask("stop", orders)
            asked = {order.key for order in orders}
            self._undone = self._undone - asked | self._orders.keys() & undone

    async def _try(self, tell: Callable[[], Awaitable[None]]) -> None:
        """Tell the agent something now, if it was found; otherwise, and if that fails, all is told on finding it."""
        if self._is_found:
            try:
                await tell()
            except UnavailableError as error:
                log.warning("%s; it is told again", error)
                self._is_found = False
