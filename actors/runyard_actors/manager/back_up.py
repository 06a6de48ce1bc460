"""Back up: copy the store once a day, beside all other work."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Event

from runyard_actors.manager.yard import Yard, log
from runyard_actors.steps import Steps
from runyard_actors.store.backup import back_up_daily, is_due
from runyard_cluster.errors import RunyardError

#: How often it is looked whether a copy is due, in seconds. A server that lives shorter than this makes none.
LOOK_SECONDS = 300.0


async def back_up_for_ever(yard: Yard) -> None:
    """Look whether a copy is due, and make it."""
    stop, steps = Event(), Steps()
    try:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await steps.do("copying the store", back_up(yard, stop))
    finally:
        # Cancelling a task does not end its thread.
        stop.set()


async def back_up(yard: Yard, stop: Event) -> None:
    """Make a copy if one is due; one that cannot be made is told of and tried again."""
    path = yard.data_dir.database
    if not isinstance(path, Path):
        return  # Whoever runs a PostgreSQL server backs it up.
    try:
        if await asyncio.to_thread(is_due, path):
            log.info("the store was copied to %s", await asyncio.to_thread(back_up_daily, path, stop))
    except (RunyardError, OSError) as error:
        log.warning("the store was not backed up: %s", error)
