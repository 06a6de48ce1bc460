"""What every route works with: settings, data folder, store reader, manager, live hub."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from runyard.server.hub import Hub
from runyard.server.learner import Learner
from runyard.server.log_links import LogLinks
from runyard.server.node_history import NodeHistory
from runyard.server.notice.notifier import KINDS, Notifier
from runyard.server.registry import Registry
from runyard.server.resolve import Resolver
from runyard.server.sessions import Sessions
from runyard_actors.manager.client import ManagerClient
from runyard_actors.store.reader import StoreReader
from runyard_actors.store.recent import Recent
from runyard_cluster.capacity import Capacity
from runyard_cluster.data_dir import DataDir
from runyard_cluster.errors import UnavailableError
from runyard_cluster.origin.finder import OriginFinder
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
    log_links: LogLinks | None = None
    current_manager: ManagerClient | None = None
    leave: Callable[[], None] = field(default=lambda: None)
    recent: Recent = field(init=False)
    registry: Registry = field(init=False)
    node_history: NodeHistory = field(default_factory=NodeHistory)
    notifier: Notifier = field(init=False)
    origins: OriginFinder = field(init=False)

    def __post_init__(self) -> None:
        self.recent = Recent(self.reader)
        self.registry = Registry(self.settings.modules, self.reader)
        self.notifier = Notifier(self)
        self.origins = OriginFinder(self.data_dir.code)
        self.hub.tell(self.notifier.on_event, KINDS)

    @property
    def manager(self) -> ManagerClient:
        """The manager. Raises UnavailableError while there is none."""
        if self.current_manager is None:
            raise UnavailableError("the server is still starting; try again in a few seconds")
        return self.current_manager

    def take(self, manager: ManagerClient | None, capacity: Capacity, log_links: LogLinks | None) -> None:
        """Work with a new manager from now on, or with none while Ray is brought up again."""
        if self.current_manager is not None:
            self.current_manager.leave()
        self.current_manager = manager
        self.capacity = capacity
        self.log_links = log_links
        self.registry.forget()

    @property
    def home(self) -> Path:
        """The folder that relative paths are taken from: that of runyard.toml, else the server's own."""
        return self.settings.source.parent if self.settings.source else Path.cwd()

    async def modules(self) -> Mapping[str, ModuleSettings]:
        """Return the registry: those of runyard.toml and those put there over REST."""
        known = self.registry.known
        return await asyncio.to_thread(self.registry.read) if known is None else known

    async def resolver(self) -> Resolver:
        """Return what fills in submissions."""
        return Resolver(
            settings=self.settings,
            capacity=self.capacity,
            modules=await self.modules(),
            home=str(self.home),
            learner=self.learner(),
            find_batch=self.reader.batch_by_index,
        )

    def learner(self) -> Learner:
        """Return what learns requests from past runs."""
        return Learner(past_runs=self.reader.past_runs, capacity=self.capacity)


async def of(request: Request) -> Context:
    """Return the context of the server that handles `request`.

    It awaits nothing, but of a plain function each request would have to wait for a thread to call it in.
    """
    context: Context = request.app.state.context
    return context


Here = Annotated[Context, Depends(of)]
