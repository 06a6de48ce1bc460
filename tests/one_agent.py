"""A node agent with an event loop of its own, so that tests without one can ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from runyard_actors.assignment import Assignment, Started
from runyard_actors.node_agent import NodeAgent
from runyard_actors.run import Outcome

T = TypeVar("T")

SECONDS = 60


def ignore(started: Started) -> None:
    """Hear that an attempt runs, and do nothing."""
    del started


class OneAgent:
    """Closed at the end of a `with` block, its spawner too; what runs goes on."""

    def __init__(self) -> None:
        self.agent = NodeAgent()
        self._runner = asyncio.Runner()

    def __enter__(self) -> OneAgent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the agent's loop. Raises TimeoutError."""

        async def limited() -> T:
            async with asyncio.timeout(SECONDS):
                return await work

        return self._runner.run(limited())

    def keep(self, *wanted: Assignment, tell: Callable[[Started], None] = ignore) -> list[Outcome]:
        """See attempts through, all at once; return how they ended."""

        async def work() -> list[Outcome]:
            return await asyncio.gather(*(self.agent.keep(each, tell) for each in wanted))

        return self.run(work())

    def close(self) -> None:
        """Let the spawners end."""
        self.agent.close()
        self._runner.close()
