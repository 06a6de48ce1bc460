"""Own manager: the RunManager of this server's data folder, created or found, and never another yard's."""

from __future__ import annotations

import asyncio
import logging
import time

from runyard_actors.manager.client import ManagerClient
from runyard_actors.manager.identity import Identity, identity_of
from runyard_cluster.capacity import Capacity
from runyard_cluster.data_dir import DataDir
from runyard_cluster.errors import ConflictError, UnavailableError
from runyard_cluster.settings import Settings

log = logging.getLogger("runyard.server")

#: A manager that takes over much is asked again for as long as this.
BOOT_SECONDS = 60.0
#: Ray forgets the name of an actor that was killed within this.
GONE_SECONDS = 20.0
RETRY_SECONDS = 0.5


async def own_manager(settings: Settings, data_dir: DataDir, capacity: Capacity) -> tuple[ManagerClient, int]:
    """Return the manager, and how many runs are active.

    One that was left behind by an earlier server of this data folder is taken over, and replaced if the settings have
    changed since. Raises ConflictError when the cluster has the manager of another data folder, and UnavailableError.
    """
    ours = identity_of(capacity.node, data_dir, settings.model_dump(mode="json"))
    manager = await _create(ours, capacity)
    active = await manager.ping(limit_seconds=BOOT_SECONDS)
    found = await manager.identity()
    if not found.is_of(ours):
        raise ConflictError(_words(found))
    if found.settings == ours.settings:
        return manager, active
    log.info("settings have changed; the manager that was left behind is replaced")
    await manager.close()
    manager.kill()
    return await _created(ours, capacity)


async def _created(ours: Identity, capacity: Capacity) -> tuple[ManagerClient, int]:
    end = time.monotonic() + GONE_SECONDS
    while True:
        manager = await _create(ours, capacity)
        try:
            return manager, await manager.ping(limit_seconds=BOOT_SECONDS)
        except UnavailableError:
            if time.monotonic() > end:
                raise
        await asyncio.sleep(RETRY_SECONDS)


async def _create(ours: Identity, capacity: Capacity) -> ManagerClient:
    """Create or find it, beside the loop: a GCS that has died is waited for, for a minute."""
    return await asyncio.to_thread(ManagerClient.create, settings=ours.settings, capacity=capacity)


def _words(found: Identity) -> str:
    whose = f"that of the data folder {found.data_dir} on {found.node}"
    if found.url:
        what = f"its server is {found.url}: use it with `--url`, or stop it with `runyard down`"
    else:
        what = "its server is gone: start it again there, with `runyard up`, or end all of it with `runyard down`"
    return (
        f"this Ray cluster has a RunManager already, {whose}; {what}. "
        'A server with `ray_address = "local"` has a Ray of its own'
    )
