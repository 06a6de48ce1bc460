"""Stop runs: a server that is told to leave ends what has not ended, each run with its grace."""

from __future__ import annotations

import asyncio
import logging
import time

from runyard.server.context import Context
from runyard_actors.run import Status
from runyard_actors.store.records import RunFilter
from runyard_cluster.errors import RunyardError

log = logging.getLogger("runyard.server")

REASON = "the server was told to leave and to stop its runs"
#: Beside the grace of the runs, in seconds: a manager that has just died is there again within this.
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.2
#: Runs that are cancelled in one call.
AT_ONCE = 1_000


async def stop_runs(context: Context) -> bool:
    """Cancel all that has not ended, and return once it has; False: not all of it in time. Nothing new starts.

    Admission is afterwards as it was before.
    """
    end = time.monotonic() + context.settings.grace + PATIENCE_SECONDS
    was_paused: bool | None = None
    while time.monotonic() < end:
        try:
            if was_paused is None:
                was_paused = (await context.manager.view()).is_paused
            await context.manager.pause()
            if not await _cancel_some(context):
                if not was_paused:
                    await context.manager.resume()
                return True
        except RunyardError as error:
            log.warning("the runs cannot be stopped yet: %s", error)
        await asyncio.sleep(LOOK_SECONDS)
    log.error("not all runs ended in time; those that are left go on")
    return False


async def _cancel_some(context: Context) -> int:
    """Cancel the newest that have not ended; return how many there were."""
    wanted = RunFilter(statuses=(Status.QUEUED, Status.RUNNING))
    runs, _ = await asyncio.to_thread(context.reader.runs, wanted, AT_ONCE)
    if runs:
        await context.manager.cancel([run["run_id"] for run in runs], REASON)
    return len(runs)
