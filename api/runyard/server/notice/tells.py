"""Tells: who is to be told of the end of a run or a batch, for people to look at."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runyard.server.notice import target

if TYPE_CHECKING:
    from runyard.server.context import Context


async def of_run(here: Context, run: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return who is told of the end of a run; nobody, where its batch is told of as a whole."""
    return [each.told() for each in target.of_run(run, here.settings, await here.modules())]


async def of_batch(here: Context, batch_id: str) -> list[dict[str, str]]:
    """Return who is told of the end of a batch."""
    modules = await here.modules()
    own, ids = await asyncio.to_thread(_read, here, batch_id)
    return [each.told() for each in target.of_batch(own, here.settings, modules, ids)]


def _read(here: Context, batch_id: str) -> tuple[target.BatchWishes, list[str]]:
    reader = here.reader
    return target.wishes(reader.batch_wishes(batch_id)), reader.modules_of_batch(batch_id, target.MODULES)
