"""What every route works with: settings, data folder, store reader, manager, live hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from runyard.server.hub import Hub
from runyard.server.resolve import Resolver
from runyard.server.security import Sessions
from runyard_actors.manager.client import ManagerClient
from runyard_actors.store.reader import StoreReader
from runyard_cluster.capacity import Capacity
from runyard_cluster.data_dir import DataDir
from runyard_cluster.errors import UnavailableError
from runyard_cluster.settings import ModuleSettings, Settings


@dataclass(slots=True, kw_only=True)
class Context:
    """One server's parts. `manager` is None until Ray is up, and while it is brought up again."""

    settings: Settings
    data_dir: DataDir
    capacity: Capacity
    reader: StoreReader
    sessions: Sessions
    hub: Hub
    is_embedded: bool = False
    dashboard: str | None = None
    current_manager: ManagerClient | None = None
    leave: Any = field(default=None)

    @property
    def manager(self) -> ManagerClient:
        """The manager. Raises UnavailableError while there is none."""
        if self.current_manager is None:
            raise UnavailableError("the server is still starting; try again in a few seconds")
        return self.current_manager

    def modules(self) -> Mapping[str, ModuleSettings]:
        """Return the registry: those of runyard.toml and those put there over REST."""
        put = {name: ModuleSettings.model_validate(module) for name, module in self.reader.modules().items()}
        return {**put, **self.settings.modules}

    def resolver(self) -> Resolver:
        """Return what fills in submissions."""
        return Resolver(settings=self.settings, capacity=self.capacity, modules=self.modules())


def of(request: Request) -> Context:
    """Return the context of the server that handles `request`."""
    context: Context = request.app.state.context
    return context


Here = Annotated[Context, Depends(of)]
