"""The door: calls from the server on the same machine, straight into the manager's event loop.

Ray makes the manager, names it and starts it again, and carries any call that cannot come this way. It takes 2.4 ms for
each, and 1.3 ms of CPU time at the caller alone; a socket between two processes of one machine takes a tenth of that.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runyard_actors.manager.frames import SECRET_BYTES, Frames

log = logging.getLogger("runyard.manager")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a manager's door is. The secret is of this one process: whoever knows it was told by Ray."""

    path: str
    secret: bytes


class Door:
    """Takes calls of any method of a manager, as many at once as come."""

    def __init__(self, manager: object, path: Path) -> None:
        self._manager = manager
        self._path = path
        self._secret = secrets.token_bytes(SECRET_BYTES)
        self._server: asyncio.Server | None = None
        self._opening = asyncio.Lock()
        self._calls: set[asyncio.Task[None]] = set()

    async def open(self) -> Address | None:
        """Return where the door is; None where a system or a folder has no room for one."""
        if sys.platform == "win32":
            return None
        async with self._opening:
            if self._server is None:
                try:
                    loop = asyncio.get_running_loop()
                    self._server = await loop.create_unix_server(self._answering, str(self._path))
                    self._path.chmod(0o600)
                except OSError as error:
                    log.warning(
                        "no door at %s (%s): Ray carries all calls", self._path, error.strerror or error
                    )
                    return None
        return Address(str(self._path), self._secret)

    def close(self) -> None:
        """Let nobody in any more."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path.unlink(missing_ok=True)

    def _answering(self) -> Frames:
        def take(call: tuple[int, str, tuple[Any, ...]]) -> None:
            # What was begun is done, whether or not the caller waits for it: as Ray does it.
            task = asyncio.get_running_loop().create_task(self._answer(caller, *call), name=call[1])
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

        caller = Frames(take, lambda: None, expects=self._secret)
        return caller

    async def _answer(self, caller: Frames, number: int, method: str, args: tuple[Any, ...]) -> None:
        try:
            caller.send((number, True, await getattr(self._manager, method)(*args)))
        except Exception as error:
            log.exception("%s failed", method)
            caller.send((number, False, type(error).__name__))
