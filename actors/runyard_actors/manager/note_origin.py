"""Note origin: with what interpreter, packages and code an attempt started; found beside its start, never before it."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.origins import OriginPlace
from runyard_actors.manager.other_node import OtherNode
from runyard_actors.manager.yard import Yard
from runyard_actors.store.changes import Change, OriginFound
from runyard_cluster.errors import UnavailableError
from runyard_cluster.origin.origin import Origin

#: A node that has to ask an interpreter of many packages, over a slow disk, answers within this.
ANSWER_SECONDS = 60.0
RETRY_SECONDS = 1.0


def note_origins(yard: Yard, attempts: Sequence[ActiveRun]) -> None:
    """Have it found for those whose start did not say it, each on its own node."""
    missing: dict[OtherNode | None, list[ActiveRun]] = defaultdict(list)
    for attempt in attempts:
        if attempt.spec and known_origin(yard, attempt) is None:
            missing[yard.other(attempt)].append(attempt)
    for node, there in missing.items():
        yard.spawn(_note(yard, node, there), "note origins")


def known_origin(yard: Yard, attempt: ActiveRun) -> str | None:
    """Return the origin of an attempt as JSON, if it is known without looking; that is so on this node alone."""
    if attempt.spec is None or yard.other(attempt) is not None:
        return None
    return yard.origins.known(OriginPlace.of(attempt.spec))


async def _note(yard: Yard, node: OtherNode | None, attempts: Sequence[ActiveRun]) -> None:
    wanted = [(a, OriginPlace.of(a.spec)) for a in attempts if a.spec]
    places = list(dict.fromkeys(place for _, place in wanted))
    if node is None:
        texts = await asyncio.to_thread(yard.origins.find, places)
    else:
        origins = await node.unless_lost(_found_there(node, places))
        if origins is None:
            return
        texts = await asyncio.to_thread(yard.origins.found_there, places, origins)
    found = dict(zip(places, texts, strict=True))
    at = time.time_ns() // 1000
    changes: list[Change] = [
        OriginFound(run_id=a.run_id, attempt=a.attempt, origin=found[place], at=at) for a, place in wanted
    ]
    await yard.write_if_possible(changes)


async def _found_there(node: OtherNode, places: Sequence[OriginPlace]) -> list[Origin]:
    """Ask the node, however long that is not heard of."""
    while True:
        await node.line.is_open.wait()
        try:
            found: list[Origin] = await node.line.ask("origins", places, limit_seconds=ANSWER_SECONDS)
            return found
        except UnavailableError:
            await asyncio.sleep(RETRY_SECONDS)
