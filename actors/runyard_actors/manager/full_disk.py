"""Full disk: who writes a log on a disk without room is told that the log lacks what is written meanwhile.

A module writes its log itself, and an error of that is its own; nobody else can know which bytes are missing.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.yard import Yard
from runyard_actors.run import RunId
from runyard_actors.store.changes import RunWarned

#: A disk with less room than this, in bytes, takes no log any more.
FULL_BYTES = 1 << 16
WORDS = "the disk with its log is full: what it prints now may be missing there"


class DiskWatch:
    """Tells each attempt once."""

    def __init__(self) -> None:
        self._told: set[tuple[RunId, int]] = set()

    def judge(self, attempts: Sequence[ActiveRun], free_bytes: int) -> list[ActiveRun]:
        """Return whose log lacks something now, as far as that was not told."""
        self._told &= {attempt.key for attempt in attempts}
        if free_bytes >= FULL_BYTES:
            return []
        return [each for each in attempts if each.is_started and each.key not in self._told]

    def note(self, attempts: Sequence[ActiveRun]) -> None:
        """These have been told."""
        self._told |= {each.key for each in attempts}


async def tell_full_disk(yard: Yard, watch: DiskWatch) -> None:
    """Warn of logs that lack something. Where the store is on the same disk, that is told once it can be written."""
    attempts = yard.active_here()
    if not attempts:
        return
    usage = await asyncio.to_thread(shutil.disk_usage, yard.data_dir.runs)
    concerned = watch.judge(attempts, usage.free)
    now = time.time_ns() // 1000
    await yard.write_if_possible([RunWarned(run_id=a.run_id, words=WORDS, at=now) for a in concerned])
    if yard.storage_fault is None:
        watch.note(concerned)
