"""The module registry: those of runyard.toml, and those put here."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path

from runyard.server.context import Here
from runyard.server.strict_json import StrictRoute
from runyard_cluster.settings import ModuleSettings

router = APIRouter(prefix="/api/modules", tags=["modules"], route_class=StrictRoute)

ModuleId = Annotated[str, Path(max_length=200)]


@router.get("")
async def list_modules(here: Here) -> dict[str, Any]:
    """List all modules with their defaults; environments by name only."""
    modules = await asyncio.to_thread(here.modules)
    return {"modules": [public(module_id, module) for module_id, module in sorted(modules.items())]}


def public(module_id: str, module: ModuleSettings) -> dict[str, Any]:
    """Return a module as it may be shown: the values of its environment stay here."""
    shown = module.model_dump(mode="json", exclude={"env"})
    return {"module_id": module_id, **shown, "env_keys": sorted(module.env)}
