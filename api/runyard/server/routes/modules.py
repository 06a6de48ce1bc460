"""The module registry: those of runyard.toml, and those put here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import AfterValidator

from runyard.advice import advice_of
from runyard.server.context import Context, Here
from runyard.server.fields import MAX_TEXT, plain_text
from runyard.server.models import Module, Modules
from runyard.server.schemas import ModuleIn
from runyard.server.strict_json import StrictRoute
from runyard_cluster.errors import NotFoundError
from runyard_cluster.settings import ModuleSettings

router = APIRouter(prefix="/api/modules", tags=["modules"], route_class=StrictRoute)

ModuleId = Annotated[str, Path(description="the module's id")]
NewModuleId = Annotated[
    str, Path(description="the module's id", max_length=MAX_TEXT), AfterValidator(plain_text)
]


@router.get("", response_model=Modules)
async def list_modules(here: Here) -> Any:
    """List all modules with their defaults; environments by name only."""
    return {"modules": await asyncio.to_thread(_all_public, here, await here.modules())}


@router.get("/{module_id}", response_model=Module)
async def show(here: Here, module_id: ModuleId) -> Any:
    """Show one module."""
    module = (await here.modules()).get(module_id)
    if module is None:
        raise NotFoundError(f"no module {module_id[:MAX_TEXT]!r} is known")
    return await asyncio.to_thread(_public, here, module_id, module)


@router.put(
    "/{module_id}", response_model=Module, responses={201: {"model": Module, "description": "It is new"}}
)
async def put(here: Here, response: Response, module_id: NewModuleId, body: ModuleIn) -> Any:
    """Set a module, in place of what was there; runs that are queued keep what they were submitted with."""
    module = _settings(body, here.home)
    try:
        is_new = await here.manager.put_module(module_id, module.model_dump(mode="json", exclude_none=True))
    finally:
        # Also when no answer came: the module may have been set all the same.
        here.registry.forget()
    if is_new:
        response.status_code = 201
    return await asyncio.to_thread(_public, here, module_id, module)


@router.delete("/{module_id}", status_code=204)
async def delete(here: Here, module_id: ModuleId) -> None:
    """Take a module out of the registry; its runs stay."""
    try:
        await here.manager.delete_module(module_id)
    finally:
        here.registry.forget()


def _settings(body: ModuleIn, home: FilePath) -> ModuleSettings:
    given = body.model_dump(exclude_none=True)
    for key in ("script", "python", "cwd"):
        if key in given:
            given[key] = FilePath(os.path.normpath(home / given[key]))
    return ModuleSettings.model_validate(given)


def _all_public(here: Context, modules: Mapping[str, ModuleSettings]) -> list[dict[str, Any]]:
    return [_public(here, module_id, module) for module_id, module in sorted(modules.items())]


def _public(here: Context, module_id: str, module: ModuleSettings) -> dict[str, Any]:
    """Return a module as it may be shown: the values of its environment stay here."""
    return {
        "module_id": module_id,
        "is_of_file": module_id in here.settings.modules,
        **module.model_dump(mode="json", exclude={"env"}),
        "env_keys": sorted(module.env),
        "advice": advice_of(module, here.recent.runs(module_id), here.settings, here.capacity),
    }
