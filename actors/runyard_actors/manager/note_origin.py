"""Note origin: with what interpreter, packages and code an attempt started; found beside its start, never before it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.yard import Yard
from runyard_actors.store.changes import Change, OriginFound


def note_origins(yard: Yard, attempts: Sequence[ActiveRun]) -> None:
    """Have it found for those on this node whose start did not say it. Another node's files are not looked at."""
    missing = [a for a in attempts if a.spec and yard.other(a) is None and known_origin(yard, a) is None]
    if missing:
        yard.spawn(_note(yard, missing), "note origins")


def known_origin(yard: Yard, attempt: ActiveRun) -> str | None:
    """Return the origin of an attempt on this node as JSON, if it is known without looking."""
    spec = attempt.spec
    if spec is None or yard.other(attempt) is not None:
        return None
    return yard.origins.known(spec.command, spec.cwd)


async def _note(yard: Yard, attempts: Sequence[ActiveRun]) -> None:
    places = {(a.spec.command[:2], a.spec.cwd): a.spec for a in attempts if a.spec}
    found = {}
    for place, spec in places.items():
        found[place] = await asyncio.to_thread(yard.origins.find, spec.command, spec.cwd)
    at = time.time_ns() // 1000
    changes: list[Change] = [
        OriginFound(run_id=a.run_id, attempt=a.attempt, origin=found[a.spec.command[:2], a.spec.cwd], at=at)
        for a in attempts
        if a.spec
    ]
    await yard.write_if_possible(changes)
