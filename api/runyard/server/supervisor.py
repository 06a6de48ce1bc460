"""The supervisor: brings up Ray and the RunManager, looks after them, and brings them up again when they fall."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from runyard_cluster import ray_head
from runyard_cluster.capacity import read_capacity
from runyard_cluster.data_dir import DataDir
from runyard_cluster.errors import UnavailableError
from runyard_cluster.settings import Settings

log = logging.getLogger("runyard.server")

#: How often Ray's servers and the manager are looked at.
LOOK_SECONDS = 2.0
#: A manager that does not answer for this long, while Ray lives, is replaced.
DEAF_SECONDS = 30.0
CLOSE_SECONDS = 10.0


class Supervisor:
    """Owns one head and one manager. `on_manager` is told of each new manager, or of None while there is none."""

    def __init__(self, settings: Settings, data_dir: DataDir, *, has_dashboard: bool) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._has_dashboard = has_dashboard
        self._manager: Any = None
        self._last_answer = time.monotonic()
        # Before anything imports Ray, which reads some of these only then.
        data_dir.ray_token()
        os.environ.update(ray_head.ray_environment(data_dir.ray_token_file))
        self.capacity = read_capacity(settings.reserve_memory)
        self.on_manager: Callable[[Any], None] = lambda _: None
        self.dashboard: str | None = None

    async def bring_up(self) -> None:
        """Start a head and create the manager, which takes over what still runs."""
        data_dir = self._data_dir
        await asyncio.to_thread(ray_head.stop_head, data_dir.ray_temp)
        head = await asyncio.to_thread(
            ray_head.start_head,
            temp=data_dir.ray_temp,
            capacity=self.capacity,
            environ=os.environ,
            has_dashboard=self._has_dashboard,
        )
        log.info("Ray is up at %s", head.gcs)
        self.dashboard = head.dashboard
        await asyncio.to_thread(ray_head.connect, head.gcs)
        await self._create_manager()

    async def watch(self) -> None:
        """Look after Ray and the manager, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not await asyncio.to_thread(ray_head.is_head_alive, self._data_dir.ray_temp):
                await self._replace_ray()
            else:
                await self._look_after_manager()

    async def shut_down(self) -> None:
        """Stop the manager and Ray; runs go on under their shims."""
        self.on_manager(None)
        if self._manager is not None:
            try:
                await asyncio.wait_for(self._manager.close(), CLOSE_SECONDS)
                self._manager.kill()
            except (UnavailableError, TimeoutError) as error:
                log.warning("the manager did not close: %s", error)
        await asyncio.to_thread(self._leave_ray)

    async def _create_manager(self) -> None:
        from runyard_actors.manager.client import ManagerClient

        self._manager = ManagerClient.create(
            settings=self._settings.model_dump(mode="json"),
            data_dir=str(self._data_dir.path),
            capacity=self.capacity,
        )
        active = await self._manager.ping(limit_seconds=60.0)
        self._last_answer = time.monotonic()
        self.on_manager(self._manager)
        log.info("the manager is up, %d runs were taken over", active)

    async def _look_after_manager(self) -> None:
        try:
            await self._manager.ping()
            self._last_answer = time.monotonic()
        except UnavailableError as error:
            if time.monotonic() - self._last_answer > DEAF_SECONDS:
                log.error("the manager does not answer (%s); it is replaced", error)
                self.on_manager(None)
                self._manager.kill()
                await self._create_manager()

    async def _replace_ray(self) -> None:
        log.error("Ray is gone; it is started again, runs go on meanwhile")
        self.on_manager(None)
        await asyncio.to_thread(self._leave_ray)
        await self.bring_up()

    def _leave_ray(self) -> None:
        import ray

        ray.shutdown()
        ray_head.stop_head(self._data_dir.ray_temp)
