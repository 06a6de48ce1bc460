"""Modules: the registry's own entries. Those of runyard.toml belong to the file and are not changed here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from runyard_actors.manager.yard import Yard
from runyard_actors.store.changes import ModuleDeleted, ModulePut
from runyard_cluster.errors import ConflictError, NotFoundError


async def put_module(yard: Yard, module_id: str, definition: Mapping[str, Any]) -> bool:
    """Set a module, durably; return whether it is new. Runs that are queued keep what they were submitted with.

    Raises ConflictError for a module of runyard.toml, UnavailableError.
    """
    _refuse_that_of_the_file(yard, module_id)
    is_new = module_id not in await asyncio.to_thread(yard.reader.modules)
    now = time.time_ns() // 1000
    await yard.write([ModulePut(module_id=module_id, definition=definition, at=now)])
    yard.core.set_module_limit(module_id, definition.get("max_concurrent"))
    yard.pump()
    return is_new


async def delete_module(yard: Yard, module_id: str) -> None:
    """Take a module out of the registry, durably; its runs stay.

    Raises ConflictError for a module of runyard.toml, NotFoundError, UnavailableError.
    """
    _refuse_that_of_the_file(yard, module_id)
    if module_id not in await asyncio.to_thread(yard.reader.modules):
        raise NotFoundError(f"no module {module_id[:200]!r} is known")
    await yard.write([ModuleDeleted(module_id=module_id, at=time.time_ns() // 1000)])
    yard.core.set_module_limit(module_id, None)
    yard.pump()


def _refuse_that_of_the_file(yard: Yard, module_id: str) -> None:
    if module_id in yard.settings.modules:
        raise ConflictError(
            f"module {module_id!r} is set in {yard.settings.source or 'runyard.toml'}; change it there"
        )
