"""What everything is measured against: a semaphore and `create_subprocess_exec` on an asyncio loop, and nothing else.

Each command's output goes straight into a file of its own. Nothing is durable, limited or remembered.
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path


class BareLoop:
    """Runs commands, so many at once; its files stay in `folder`. Closed at the end of a `with` block."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._numbers = itertools.count()
        self._runner = asyncio.Runner()
        # The default one has a thread wait for each process, which takes longer.
        watcher = asyncio.PidfdChildWatcher()
        watcher.attach_loop(self._runner.get_loop())
        asyncio.set_child_watcher(watcher)

    def __enter__(self) -> BareLoop:
        return self

    def __exit__(self, *ending: object) -> None:
        self._runner.close()

    def batch(self, command: Sequence[str], count: int) -> None:
        """Run a command many times."""

        async def every() -> None:
            slots = asyncio.Semaphore(self._limit)
            await asyncio.gather(*(self._one(command, self._new_file(), slots) for _ in range(count)))

        self._runner.run(every())

    def single(self, command: Sequence[str]) -> tuple[bytes, float]:
        """Run a command once; return its output, and when its end was known."""
        out = self._new_file()
        self._runner.run(self._one(command, out, asyncio.Semaphore()))
        known_at = time.time()
        return out.read_bytes(), known_at

    def _new_file(self) -> Path:
        return self._folder / f"loop-{next(self._numbers)}.log"

    async def _one(self, command: Sequence[str], out: Path, slots: asyncio.Semaphore) -> None:
        async with slots:
            with out.open("wb") as file:
                process = await asyncio.create_subprocess_exec(
                    *command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
                )
            await process.wait()
