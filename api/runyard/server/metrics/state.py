"""How things stand at the moment of a scrape: read once from manager, store and machine."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from runyard.server.context import Context
from runyard_actors.manager.messages import YardView
from runyard_actors.run import Status
from runyard_actors.store.reader import StoreReader
from runyard_actors.store.records import RunFilter
from runyard_cluster.capacity import Use, busy_cpu_seconds, read_use
from runyard_cluster.errors import RunyardError

#: Prometheus gives a scrape ten seconds; a manager that needs more than this counts as down.
MANAGER_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """What the store holds. `oldest_queued_seconds` is 0 while nothing is queued."""

    runs: Mapping[str, Mapping[str, int]]
    last_event: int
    oldest_queued_seconds: float
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineState:
    """What this machine's programs use, and the room on the data folder's disk, in bytes."""

    node: str
    use: Use
    busy_cpu_seconds: float
    data_free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything of one moment. `view` or `store` is None while manager or store does not answer."""

    view: YardView | None
    store: StoreState | None
    machine: MachineState
    hub_event: int


async def read_state(context: Context) -> State:
    """Ask everybody at once; who does not answer makes the others' numbers no less true."""
    hub_event = context.hub.last_seq
    view, store, machine = await asyncio.gather(
        _view(context),
        asyncio.to_thread(_store, context.reader),
        asyncio.to_thread(_machine, context),
    )
    return State(view=view, store=store, machine=machine, hub_event=hub_event)


async def _view(context: Context) -> YardView | None:
    try:
        async with asyncio.timeout(MANAGER_SECONDS):
            return await context.manager.view()
    except (RunyardError, TimeoutError):
        return None


def _store(reader: StoreReader) -> StoreState | None:
    try:
        last_event = reader.last_seq()
        oldest, _ = reader.runs(RunFilter(statuses=(Status.QUEUED,), sort="created_at"), limit=1)
        return StoreState(
            runs=reader.stats()["modules"],
            last_event=last_event,
            oldest_queued_seconds=oldest[0]["queued_seconds"] if oldest else 0.0,
            size_bytes=reader.size_bytes(),
        )
    except RunyardError:
        return None


def _machine(context: Context) -> MachineState:
    return MachineState(
        node=context.capacity.node,
        use=read_use(),
        busy_cpu_seconds=busy_cpu_seconds(),
        data_free_bytes=shutil.disk_usage(context.data_dir.path).free,
    )
