"""The direct way to a manager: its door, for a caller on the same machine, as long as it can be used."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from runyard_actors.manager.door import Address
from runyard_actors.manager.frames import Frames
from runyard_cluster.errors import UnavailableError

#: A door that cannot be used is not tried again for so long.
RETRY_SECONDS = 0.5


class WayLostError(Exception):
    """The manager's process is gone, or as good as: whether the call was carried out is not known."""


class Way:
    """An open stream to a manager's door."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._is_lost = False
        self.frames = Frames(self._on_answer, self._on_lost)

    @property
    def is_open(self) -> bool:
        """Whether calls can be made."""
        return not self._is_lost

    async def call(self, method: str, args: Sequence[Any]) -> Any:
        """Return the method's answer. Raises WayLostError, and UnavailableError when the manager failed at it."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self.frames.send((number, method, tuple(args)))
            return await answer
        finally:
            self._waiting.pop(number, None)

    def _on_answer(self, answer: tuple[int, bool, Any]) -> None:
        number, is_good, value = answer
        waiting = self._waiting.get(number)
        if waiting is None or waiting.done():
            return
        if is_good:
            waiting.set_result(value)
        else:
            waiting.set_exception(UnavailableError(f"the manager failed at it ({value})"))

    def _on_lost(self) -> None:
        self._is_lost = True
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(WayLostError())


class Direct:
    """Opens a way to a manager's door when it is first wanted, and again when it was lost.

    `find` asks the manager, through Ray, where its door is.
    """

    def __init__(self, find: Callable[[], Awaitable[Address | None]]) -> None:
        self._find = find
        self._way: Way | None = None
        self._opening: asyncio.Task[None] | None = None
        self._tried_at = -RETRY_SECONDS
        #: Whether it is not wanted any more.
        self.is_closed = False

    def way(self) -> Way | None:
        """Return the way, if it is open now; if not, it may be for the next call."""
        if self._way is not None and self._way.is_open:
            return self._way
        is_idle = (self._opening is None or self._opening.done()) and not self.is_closed
        if sys.platform != "win32" and is_idle and time.monotonic() - self._tried_at > RETRY_SECONDS:
            self._tried_at = time.monotonic()
            self._opening = asyncio.get_running_loop().create_task(self._open(), name="open the direct way")
        return None

    def close(self) -> None:
        """Have done with it, for good."""
        self.is_closed = True
        if self._opening is not None:
            self._opening.cancel()
        if self._way is not None:
            self._way.frames.hang_up()

    async def _open(self) -> None:
        if sys.platform != "win32":
            way = Way()
            try:
                if (door := await self._find()) is None:
                    return
                await asyncio.get_running_loop().create_unix_connection(lambda: way.frames, door.path)
            except (OSError, UnavailableError, AttributeError):
                # A manager that an earlier version left behind has no door.
                return
            way.frames.greet(door.secret)
            self._way = way
