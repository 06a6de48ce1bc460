"""The machine and the yard as a whole: resources, statistics, admission, health."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from runyard.server.context import Here
from runyard.server.fields import MAX_TEXT
from runyard.server.machine_models import (
    Admission,
    Drained,
    Health,
    Leaving,
    LoginLink,
    Ready,
    Resources,
    ResourcesHistory,
    Stats,
    Usage,
)
from runyard.server.problems import problem
from runyard.server.strict_json import StrictRoute
from runyard_actors.manager.messages import NodeView
from runyard_cluster.capacity import Use, read_use
from runyard_cluster.errors import RunyardError

NodeName = Annotated[str, Path(min_length=1, max_length=MAX_TEXT, description="as `/api/resources` has it")]
#: A manager that takes longer to answer is not ready.
READY_SECONDS = 5.0

router = APIRouter(tags=["machine"], route_class=StrictRoute)


@router.get("/api/resources", response_model=Resources)
async def resources(here: Here) -> dict[str, Any]:
    """Show per node: capacity, what runs declared, what is free, what is measured; and the semaphore."""
    view, use = await asyncio.gather(here.manager.view(), asyncio.to_thread(read_use))
    return {
        "nodes": [_node(node, node.use or use) for node in view.nodes],
        "semaphore": {
            "max_concurrent_runs": view.max_concurrent_runs,
            "active": view.active,
            "free": max(0, view.max_concurrent_runs - view.active),
            "queued": view.queued,
            "is_paused": view.is_paused,
            "paused_while": view.paused_while,
        },
        "storage_fault": view.storage_fault,
    }


@router.get("/api/resources/history", response_model=ResourcesHistory)
async def history(
    here: Here,
    since: Annotated[
        float,
        Query(ge=0, le=1e12, allow_inf_nan=False, description="only looks after it: seconds since the epoch"),
    ] = 0,
) -> dict[str, Any]:
    """Show the nodes over the last hour: what runs declared, what they used, what all programs used."""
    return here.node_history.since(since)


@router.get("/api/usage", response_model=Usage)
async def usage(here: Here) -> dict[str, Any]:
    """Show what each active run used at the last look, a second ago at most: of CPU, memory and GPUs."""
    return {"runs": [asdict(run) for run in await here.manager.usage()]}


@router.get("/api/stats", response_model=Stats)
async def stats(here: Here) -> dict[str, Any]:
    """Count runs by status and module; throughput and waiting times."""
    return await asyncio.to_thread(here.reader.stats)


@router.post("/api/pause")
async def pause(here: Here) -> Admission:
    """Start no new run until `resume`; running ones go on."""
    await here.manager.pause()
    return Admission(is_paused=True)


@router.post("/api/resume")
async def resume(here: Here) -> Admission:
    """Start runs again."""
    await here.manager.resume()
    return Admission(is_paused=False)


@router.post("/api/nodes/{node}/drain")
async def drain(here: Here, node: NodeName) -> Drained:
    """Start no new run on a node until `undrain`; what runs there goes on."""
    await here.manager.drain(node)
    return Drained(node=node, is_drained=True)


@router.post("/api/nodes/{node}/undrain")
async def undrain(here: Here, node: NodeName) -> Drained:
    """Let runs start on a node again."""
    await here.manager.undrain(node)
    return Drained(node=node, is_drained=False)


@router.post("/api/login-link")
async def login_link(here: Here) -> LoginLink:
    """Make a link that logs a browser in, once."""
    return LoginLink(path=f"/?login={here.sessions.new_link_secret()}")


@router.post("/api/leave", status_code=202)
async def leave(here: Here) -> Leaving:
    """Stop this server; runs go on and are taken over by the next one."""
    here.leave()
    return Leaving()


@router.get("/healthz")
async def health() -> Health:
    """Answer that the server lives."""
    return Health()


@router.get("/readyz", response_model=Ready)
async def ready(here: Here) -> Any:
    """Answer whether manager, Ray and database do their work."""
    try:
        view = await here.manager.view(READY_SECONDS)
        await asyncio.to_thread(here.reader.last_seq)
    except RunyardError as error:
        return problem(503, "UnavailableError", str(error))
    if view.storage_fault:
        return problem(503, "UnavailableError", f"the store cannot be written: {view.storage_fault}")
    return Ready(is_embedded=here.is_embedded)


def _node(node: NodeView, use: Use) -> dict[str, Any]:
    return {
        "node": node.node,
        "capacity": {
            "num_cpus": node.cpu_milli / 1000,
            "memory": node.memory_bytes,
            "num_gpus": sum(gpu.lost is None for gpu in node.gpus),
        },
        "declared": {"num_cpus": node.declared_cpu_milli / 1000, "memory": node.declared_memory_bytes},
        "free": {
            "num_cpus": (node.cpu_milli - node.declared_cpu_milli) / 1000,
            "memory": node.memory_bytes - node.declared_memory_bytes,
        },
        "use": {"cpu_busy_percent": use.cpu_busy_percent, "memory_free": use.memory_free_bytes},
        "gpus": [asdict(gpu) for gpu in node.gpus],
        "guard": node.guard,
        "labels": dict(node.labels),
        "warnings": node.warnings,
    }
