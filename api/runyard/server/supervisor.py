"""The supervisor: brings up Ray and the RunManager, looks after them, and brings them up again when they fall."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from runyard.server.log_links import LogLinks
from runyard_cluster.capacity import Capacity
from runyard_cluster.data_dir import DataDir
from runyard_cluster.errors import UnavailableError
from runyard_cluster.ray_cluster import ray_for
from runyard_cluster.settings import Settings

log = logging.getLogger("runyard.server")

#: How often Ray's servers and the manager are looked at.
LOOK_SECONDS = 2.0
#: A manager that does not answer for this long, while Ray lives, is replaced.
DEAF_SECONDS = 30.0
CLOSE_SECONDS = 10.0
#: Pause between two tries to have Ray again once it was lost.
RETRY_SECONDS = 5.0


class Supervisor:
    """Owns one head and one manager. `on_manager` is told of each new manager, or of None while there is none."""

    def __init__(self, settings: Settings, data_dir: DataDir, *, has_dashboard: bool) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._ray = ray_for(settings, data_dir, has_dashboard=has_dashboard)
        self._manager: Any = None
        self._last_answer = time.monotonic()
        self.on_manager: Callable[[Any], None] = lambda _: None
        self.log_links: LogLinks | None = None

    @property
    def capacity(self) -> Capacity:
        """What the node offers to runs."""
        return self._ray.capacity

    @property
    def dashboard(self) -> str | None:
        """The address of Ray's dashboard, if it has one."""
        return self._ray.dashboard

    async def bring_up(self) -> None:
        """Start or join Ray and create the manager, which takes over what still runs.

        Raises UnavailableError, and ConflictError when the cluster is another yard's.
        """
        await asyncio.to_thread(self._ray.bring_up)
        await self._create_manager_unless_ray_dies()

    async def watch(self) -> None:
        """Look after Ray and the manager, for ever. Raises StoreTakenOver once another server has the store."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not await asyncio.to_thread(self._ray.is_alive):
                await self._replace_ray()
            else:
                await self._look_after_manager()

    async def shut_down(self) -> None:
        """Stop the manager and Ray; runs go on under their shims."""
        self.on_manager(None)
        if self._manager is not None:
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._manager.close()
                self._manager.kill()
            except (UnavailableError, TimeoutError) as error:
                log.warning("the manager did not close: %s", error)
        await asyncio.to_thread(self._ray.leave)

    async def _create_manager(self) -> None:
        from runyard.server.own_manager import own_manager

        self._manager, active = await own_manager(self._settings, self._data_dir, self.capacity)
        self.log_links = LogLinks.of(self.dashboard)
        self._last_answer = time.monotonic()
        self.on_manager(self._manager)
        log.info("the manager is up, %d runs were taken over", active)

    async def _create_manager_unless_ray_dies(self) -> None:
        """Create the manager. Raises UnavailableError, at once where Ray died: it is waited for much longer."""
        creation = asyncio.create_task(self._create_manager(), name="create the manager")
        try:
            while not (await asyncio.wait([creation], timeout=LOOK_SECONDS))[0]:
                if not await asyncio.to_thread(self._ray.is_alive):
                    raise UnavailableError("Ray died before the manager was up")
            await creation
        finally:
            creation.cancel()

    async def _look_after_manager(self) -> None:
        try:
            await self._manager.ping()
            self._last_answer = time.monotonic()
        except UnavailableError as error:
            if time.monotonic() - self._last_answer > DEAF_SECONDS:
                log.error("the manager does not answer (%s); it is replaced", error)
                await self._replace_manager()

    async def _replace_manager(self) -> None:
        self.on_manager(None)
        self._manager.kill()
        try:
            await self._create_manager_unless_ray_dies()
        except UnavailableError as error:
            log.error("%s; tried again in %g s", error, LOOK_SECONDS)

    async def _replace_ray(self) -> None:
        log.error("Ray is gone; it is started again, runs go on meanwhile")
        self.on_manager(None)
        await asyncio.to_thread(self._ray.leave)
        while True:
            try:
                return await self.bring_up()
            except UnavailableError as error:
                log.error(
                    "%s; tried again in %g s, what is stored can be read meanwhile", error, RETRY_SECONDS
                )
            await asyncio.sleep(RETRY_SECONDS)
