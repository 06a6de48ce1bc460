"""What the node of an attempt is told to start, and what it tells once the attempt's process runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from runyard_actors.attempt_file import REPORT
from runyard_actors.module_environment import module_environment
from runyard_actors.run_folder import RunFolder
from runyard_actors.shim.spec import ShimSpec
from runyard_actors.shipment import Shipment
from runyard_cluster.code import mapped, mapped_words
from runyard_cluster.delegation import delegated_group


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One attempt to be started, or found again, on the node that receives this.

    `folder` is the attempt's folder, `boot_id` the boot of the node that the attempt was given to.
    `env` holds secrets: it travels to the shim's 0600 file and nowhere else.
    """

    run_id: str
    attempt: int
    nonce: str
    boot_id: str
    folder: str
    command: tuple[str, ...]
    cwd: str
    batch_id: str | None
    env: Mapping[str, str] = field(repr=False)
    cpu_milli: int
    memory_bytes: int
    gpu_ids: tuple[str, ...]
    timeout_seconds: float
    grace_seconds: float
    max_log_bytes: int
    max_processes: int
    gpu_indexes: tuple[int, ...] = ()
    gpu_memory_bytes: int = 0
    preload: tuple[str, ...] | None = None
    code: Shipment | None = None
    #: Whether nobody was ever told of it, so that nothing of it can be there already.
    is_new: bool = False
    #: Where the node keeps snapshots.
    code_folder: str = ""
    #: Without contact to the manager for so long, the attempt is ended by its supervisor; 0: never.
    contact_seconds: float = 0.0
    #: Where the node notes the last contact.
    contact_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """An attempt's process runs. `started_at` in microseconds since the epoch."""

    run_id: str
    attempt: int
    pid: int
    shim_pid: int
    started_at: int
    enforcement: Mapping[str, str]


def shim_spec(assignment: Assignment, folder: RunFolder, node: Mapping[str, str]) -> ShimSpec:
    """Return what the shim of an attempt is told; `node` is the environment that all runs of the node begin with."""
    command, cwd = assignment.command, assignment.cwd
    if assignment.code is not None:
        command = mapped_words(command, assignment.code.root, folder.code_copy)
        cwd = mapped(cwd, assignment.code.root, folder.code_copy)
    return ShimSpec(
        run_id=assignment.run_id,
        attempt=assignment.attempt,
        nonce=assignment.nonce,
        command=command,
        cwd=cwd,
        env=module_environment(node, assignment, report_file=f"{folder}{os.sep}{REPORT}"),
        timeout_seconds=assignment.timeout_seconds,
        grace_seconds=assignment.grace_seconds,
        memory_bytes=assignment.memory_bytes,
        max_log_bytes=assignment.max_log_bytes,
        max_processes=assignment.max_processes,
        cpu_milli=assignment.cpu_milli,
        cgroup=_group(),
        preload=assignment.preload,
        contact_file=assignment.contact_file,
        contact_seconds=assignment.contact_seconds,
    )


@cache
def _group() -> str:
    """Return where runs' control groups are made. Asked once: nobody moves this process to another group."""
    return str(delegated_group() or "")
