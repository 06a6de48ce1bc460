"""Near its memory there: runs on other nodes are warned of as those here are, by what their nodes measure."""

from __future__ import annotations

import time
from collections.abc import Sequence

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.near_memory import SHARES, memory_limit, share_of, words_of
from runyard_actors.manager.other_node import OtherNode
from runyard_actors.manager.yard import Yard
from runyard_actors.store.changes import RunWarned
from runyard_cluster.errors import UnavailableError

#: A node looks at all of its processes for this, so it is asked once in so many seconds.
ASK_SECONDS = 5.0


async def tell_near_memory_there(
    yard: Yard, node: OtherNode, attempts: Sequence[ActiveRun], limit_seconds: float
) -> None:
    """Warn of those of `attempts`, which are this node's, that are near their memory limit."""
    limited = {a.key: a for a in attempts if a.is_started and memory_limit(a)}
    node.memory_told = {key: told for key, told in node.memory_told.items() if key in limited}
    if not limited or time.monotonic() - node.memory_asked_at < ASK_SECONDS:
        return
    node.memory_asked_at = time.monotonic()
    least = {key: round(SHARES[0] * memory_limit(attempt)) for key, attempt in limited.items()}
    try:
        held: dict[tuple[str, int], int] = await node.line.ask(
            "near_memory", least, limit_seconds=limit_seconds
        )
    except UnavailableError:
        return  # It is asked again.
    now = time.time_ns() // 1000
    warned = [
        RunWarned(run_id=attempt.run_id, words=words_of(held[key], memory_limit(attempt)), at=now)
        for key, attempt in limited.items()
        if key in held and _is_news(node, attempt, held[key])
    ]
    await yard.write_if_possible(warned)


def _is_news(node: OtherNode, attempt: ActiveRun, used: int) -> bool:
    share = share_of(used, memory_limit(attempt))
    if share <= node.memory_told.get(attempt.key, 0.0):
        return False
    node.memory_told[attempt.key] = share
    return True
