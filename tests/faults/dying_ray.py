"""Bring Ray up while one of its servers is killed: `python -m tests.faults.dying_ray FOLDER SERVER PHASE`.

PHASE is "start", where it is killed as soon as it is seen, or "connect", where that is just before Ray is connected
to. Brings Ray up again for as long as it is unavailable, as a server does, and prints why it was.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from unittest.mock import patch

from runyard_cluster import ray_head
from runyard_cluster.data_dir import DataDir
from runyard_cluster.errors import UnavailableError
from runyard_cluster.ray_cluster import OwnRay
from tests.support import wait_until

RESERVE = 64 << 20
LIMIT_SECONDS = 60.0


def kill_once_seen(temp: Path, name: str) -> None:
    """Kill that server of the head as soon as there is one."""
    server = wait_until(lambda: ray_head.server_of(temp, name), LIMIT_SECONDS, f"{name} is there")
    assert server is not None
    server.kill()


def main(folder: str, name: str, phase: str) -> None:
    """Do it once."""
    data_dir = DataDir(Path(folder))
    data_dir.create()
    ray = OwnRay(data_dir, RESERVE, has_dashboard=False)
    killer = threading.Thread(target=kill_once_seen, args=(data_dir.ray_temp, name), daemon=True)
    connect = ray_head.connect

    def kill_and_connect(address: str) -> object:
        if killer.ident is None:
            killer.start()
            killer.join()
        return connect(address)

    if phase == "start":
        killer.start()
    try:
        with patch.object(ray_head, "connect", kill_and_connect if phase == "connect" else connect):
            wait_until(lambda: is_up(ray), LIMIT_SECONDS, "Ray is up")
        print("up" if ray.is_alive() else "dead", flush=True)
    finally:
        ray.leave()


def is_up(ray: OwnRay) -> bool:
    """Try once; print why it did not work."""
    try:
        ray.bring_up()
    except UnavailableError as error:
        print(error, flush=True)
        return False
    return True


if __name__ == "__main__":
    main(*sys.argv[1:])
