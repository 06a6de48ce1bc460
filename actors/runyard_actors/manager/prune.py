"""Prune: forget ended runs that are older than the retention, with their folders."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence

from runyard_actors.manager.yard import Yard, log
from runyard_actors.run import RunId
from runyard_actors.steps import Steps
from runyard_actors.store.changes import Pruned

#: How often old runs are looked for, and how many are forgotten at once.
PRUNE_SECONDS = 3600.0
PAGE = 1_000
#: A snapshot of code is taken this long before the run that it is for is stored, at the most, in seconds.
CODE_SECONDS = 3600.0


async def prune_for_ever(yard: Yard) -> None:
    """Prune now, and every hour."""
    steps = Steps()
    while True:
        await steps.do("removing old runs", prune(yard))
        await asyncio.sleep(PRUNE_SECONDS)


async def prune(yard: Yard) -> int:
    """Forget runs that ended longer ago than the retention, and code that no run refers to; return how many runs."""
    count = await _forget_runs(yard)
    await asyncio.to_thread(_forget_code, yard)
    return count


async def _forget_runs(yard: Yard) -> int:
    if not yard.settings.retention:
        return 0
    before = time.time_ns() // 1000 - int(yard.settings.retention * 1e6)
    count = 0
    while old := await asyncio.to_thread(yard.reader.ended_before, before, PAGE):
        await asyncio.to_thread(_remove_folders, yard, old)
        await yard.write_surely([Pruned(run_ids=old, before=before)])
        count += len(old)
    if count:
        log.info("%d runs older than the retention were removed", count)
    return count


def _forget_code(yard: Yard) -> None:
    """Remove snapshots that no run starts from, less those that a submission may be about to refer to."""
    before = time.time() - CODE_SECONDS
    old = [path for path in yard.data_dir.code.glob("*") if path.stat().st_mtime < before]
    if old:
        known = yard.reader.codes()
        for path in old:
            if path.stem not in known:
                path.unlink(missing_ok=True)


def _remove_folders(yard: Yard, run_ids: Sequence[RunId]) -> None:
    for run_id in run_ids:
        shutil.rmtree(yard.folder(run_id, 1).path.parent, ignore_errors=True)
