"""A program that is a Ray driver already: it uses the RunManager of its cluster, or has one made there."""

from __future__ import annotations

import sys
from typing import Any

from runyard_cluster.server_record import Endpoint

#: The manager answers in milliseconds; after a crash it is back within seconds.
ANSWER_SECONDS = 10.0


def endpoint() -> Endpoint | None:
    """Return where the server of this driver's cluster listens; None outside of a driver, or without one."""
    ray = _initialized_ray()
    if ray is None:
        return None
    from runyard_actors.manager.name import NAME
    from runyard_cluster.ray_head import NAMESPACE

    try:
        manager = ray.get_actor(NAME, namespace=NAMESPACE)
        found: Endpoint | None = ray.get(manager.ask.remote("endpoint", ()), timeout=ANSWER_SECONDS)
    except (ValueError, ray.exceptions.RayError):
        return None
    return found


def environment() -> dict[str, str]:
    """Return what makes a server started here join this driver's cluster; nothing outside of one."""
    ray = _initialized_ray()
    if ray is None:
        return {}
    return {"RUNYARD_RAY_ADDRESS": ray.get_runtime_context().gcs_address}


def _initialized_ray() -> Any:
    """Return `ray` if this process uses it already: it is never imported for the question."""
    ray = sys.modules.get("ray")
    return ray if ray is not None and getattr(ray, "is_initialized", bool)() else None
