"""Active runs, and looks at them, for tests of what the manager decides by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runyard_actors.assignment import Started
from runyard_actors.ids import new_id
from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.look import NodeLook, RunLook
from runyard_actors.measure import RunUsage
from runyard_actors.request import Request
from runyard_actors.run import Placement, RunId, RunSpec
from runyard_actors.run_folder import RunFolder
from runyard_cluster.capacity import Use
from runyard_cluster.gpu_processes import GpuLook

GIB = 2**30


def active(
    *, request: Request | None = None, gpus: tuple[int, ...] = (), shim_pid: int = 100, **spec: Any
) -> ActiveRun:
    """Return an attempt that runs."""
    run_id = RunId(new_id())
    return ActiveRun(
        run_id=run_id,
        batch_id=None,
        attempt=1,
        placement=Placement(node="here", gpu_indexes=gpus),
        folder=RunFolder(Path("nowhere")),
        spec=RunSpec(
            run_id=run_id,
            module_id="m",
            module_name="m",
            command=("true",),
            cwd="/",
            request=request or Request(),
            **spec,
        ),
        started=Started(
            run_id=run_id, attempt=1, pid=shim_pid + 1, shim_pid=shim_pid, started_at=0, enforcement={}
        ),
    )


def run_look(
    attempt: ActiveRun,
    *,
    memory: int = 0,
    cpu_seconds: float = 0.0,
    gpu_memory_on: dict[int, int] | None = None,
    gpu_percent: float | None = None,
) -> RunLook:
    """Return what one look showed of an attempt."""
    return RunLook(
        attempt=attempt,
        usage=RunUsage(run_id=attempt.run_id, cpu_percent=0.0, memory=memory, gpu_percent=gpu_percent),
        cpu_seconds=cpu_seconds,
        gpu_memory_on=gpu_memory_on or {},
    )


def node_look(*runs: RunLook, gpus: GpuLook = GpuLook(), **use: Any) -> NodeLook:  # noqa: B008 - frozen
    """Return a look at the whole node."""
    return NodeLook(
        at=0.0,
        monotonic=0.0,
        others_busy_percent=0.0,
        use=Use(**{"cpu_busy_percent": 0.0, "memory_free_bytes": GIB, **use}),
        gpus=gpus,
        runs=runs,
    )
