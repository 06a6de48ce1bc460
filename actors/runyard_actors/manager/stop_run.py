"""Stop a run that has passed a limit: its shim is asked to, wherever it is, which also outlives us."""

from __future__ import annotations

import asyncio
from functools import partial

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.yard import Yard, log
from runyard_actors.nodes.messages import Order
from runyard_actors.run import Reason


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
    if node := yard.other(attempt):
        await node.line.stop(
            Order(
                key=attempt.key, reason=reason, detail=words, ended_by=ended_by, grace_seconds=grace_seconds
            )
        )
        return
    ask = partial(attempt.folder.request_stop, reason, words, ended_by=ended_by, grace_seconds=grace_seconds)
    try:
        await asyncio.to_thread(ask)
    except OSError as error:
        log.warning("run %s cannot be stopped now: %s", attempt.run_id, error)
