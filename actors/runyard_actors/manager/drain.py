"""Drain: nothing new starts on a node until it is undrained, restarts included; what runs there goes on."""

from __future__ import annotations

import asyncio
import json

from runyard_actors.manager.yard import Yard
from runyard_cluster.data_dir import DataDir
from runyard_cluster.errors import NotFoundError
from runyard_cluster.files import durable_replace


def read_drained(data_dir: DataDir) -> frozenset[str]:
    """Return the names of the nodes that are drained."""
    try:
        return frozenset(json.loads(data_dir.drained_file.read_bytes()))
    except FileNotFoundError:
        return frozenset()


async def drain(yard: Yard, name: str) -> None:
    """Start nothing new on a node; repeating it changes nothing. Raises NotFoundError."""
    _check(yard, name)
    await _set(yard, yard.drained | {name})


async def undrain(yard: Yard, name: str) -> None:
    """Let runs start on a node again; repeating it changes nothing. Raises NotFoundError."""
    if name not in yard.drained:
        _check(yard, name)
    await _set(yard, yard.drained - {name})


def _check(yard: Yard, name: str) -> None:
    known = {yard.capacity.node, *yard.others}
    if name not in known:
        raise NotFoundError(f"no node is called {name[:200]!r}; known: {', '.join(sorted(known))[:300]}")


async def _set(yard: Yard, drained: frozenset[str]) -> None:
    yard.drained = drained
    data = json.dumps(sorted(drained)).encode()
    await asyncio.to_thread(durable_replace, yard.data_dir.drained_file, data, fsync=True)
    yard.hold_or_go_on()
