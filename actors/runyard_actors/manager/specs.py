"""The full specs of runs that are to start: those of small submissions are at hand, others are read ahead.

To read many costs much the same as to read one, so one reading at a time takes all that anybody waits for and the next
in line, and the next one begins while half of those are still there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

from runyard_actors.run import RunId, RunSpec
from runyard_cluster.errors import RunyardError

#: Specs of small submissions are kept until the run starts, to save the read; larger ones are read when due.
MOST_KEPT = 1_000
#: So many of the next in line are read at once, and again when half of them have started.
AHEAD = 64


class Specs:
    """Specs by run, on one event loop.

    `read` returns stored specs and blocks meanwhile; `next_in_line` returns so many queued runs, in their order;
    `spawn` has something done beside its caller.
    """

    def __init__(
        self,
        read: Callable[[Sequence[RunId]], dict[RunId, RunSpec]],
        next_in_line: Callable[[int], list[RunId]],
        spawn: Callable[[Awaitable[None], str], None],
    ) -> None:
        self._read = read
        self._next_in_line = next_in_line
        self._spawn = spawn
        self._kept: dict[RunId, RunSpec] = {}
        #: Of those kept, the ones that were read before anybody asked.
        self._ahead: set[RunId] = set()
        self._wanted: set[RunId] = set()
        self._reading: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, spec: RunSpec) -> None:
        """Have a run's spec at hand, in place of what the store may still say."""
        self._kept[spec.run_id] = spec

    def keep_if_few(self, specs: Collection[RunSpec]) -> None:
        """Have the specs of a submission at hand unless there are too many."""
        if len(self._kept) + len(specs) <= MOST_KEPT:
            self._kept.update({spec.run_id: spec for spec in specs})

    def forget(self, run_id: RunId) -> None:
        """Have done with a run that is not to start."""
        self._kept.pop(run_id, None)
        self._ahead.discard(run_id)

    def forget_if_many(self, run_id: RunId) -> None:
        """Have done with a spec that the store can tell by now, unless there is room for it."""
        if len(self._kept) > MOST_KEPT:
            self.forget(run_id)

    def at_hand(self, run_ids: Collection[RunId]) -> dict[RunId, RunSpec] | None:
        """Take the specs of runs that are about to start, if none of them has to be read."""
        if not self._kept.keys() >= set(run_ids):
            return None
        found = {run_id: self._kept.pop(run_id) for run_id in run_ids}
        if not self._ahead.isdisjoint(found):
            self._ahead -= found.keys()
            if len(self._ahead) < AHEAD // 2 and self._reading is None:
                self._spawn(self._read_ahead(), "read what starts next")
        return found

    async def take(self, run_ids: Sequence[RunId]) -> dict[RunId, RunSpec]:
        """Take the specs of runs that are about to start; unknown ones are left out. Raises StoreUnavailable."""
        self._wanted.update(run_ids)
        try:
            while not self._kept.keys() >= set(run_ids):
                if self._reading is None:
                    await self._read_on()
                    break
                await asyncio.wait([self._reading])
            return {run_id: self._kept.pop(run_id) for run_id in run_ids if run_id in self._kept}
        finally:
            self._wanted.difference_update(run_ids)
            self._ahead.difference_update(run_ids)

    async def _read_ahead(self) -> None:
        """Whoever needs one of them later is told what is wrong with the store."""
        if self._reading is None:
            try:
                await self._read_on()
            except RunyardError:
                return

    async def _read_on(self) -> None:
        """Read what is waited for, and the next in line."""
        reading = self._reading = asyncio.get_running_loop().create_future()
        try:
            line = self._next_in_line(max(0, min(AHEAD, MOST_KEPT - len(self._kept))))
            asked = [r for r in (*self._wanted, *line) if r not in self._kept]
            stored = await asyncio.to_thread(self._read, asked) if asked else {}
            # Who was cancelled meanwhile would leave its spec here for good.
            in_line = set(self._next_in_line(AHEAD))
            for run_id, spec in stored.items():
                if run_id not in self._kept and (run_id in self._wanted or run_id in in_line):
                    self._kept[run_id] = spec
                    self._ahead.add(run_id)
        finally:
            self._reading = None
            reading.set_result(None)
