"""Stop a run that has passed a limit: its shim is asked to, wherever it is, which also outlives us."""

from __future__ import annotations

import asyncio

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.yard import Yard, log
from runyard_actors.run import Reason
from runyard_actors.stopping import StopOrder, stop_attempt


async def stop_run(
    yard: Yard,
    attempt: ActiveRun,
    reason: Reason,
    words: str,
    *,
    ended_by: str,
    grace_seconds: float | None = None,
) -> None:
    """Have it end for this reason, within the grace that it was given unless another one is."""
    order = StopOrder(
        key=attempt.key,
        nonce=attempt.nonce,
        reason=reason,
        detail=words,
        ended_by=ended_by,
        grace_seconds=grace_seconds,
    )
    if node := yard.other(attempt):
        await node.line.stop(order)
        return
    try:
        await asyncio.to_thread(stop_attempt, attempt.folder, order, is_started=attempt.is_started)
    except OSError as error:
        log.warning("run %s cannot be stopped now: %s", attempt.run_id, error)
