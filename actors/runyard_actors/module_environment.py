"""The environment a module sees: the machine's own, less what Ray added, plus what the run declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from runyard_actors.attempt_file import COOKIE

#: Variables that Ray puts into its workers and that are nobody's business inside a module.
RAYS_OWN = frozenset({"OMP_NUM_THREADS", "SPT_NOENV", "_"})
RAYS_DEBUGGER = "ray.util.rpdb.set_trace"

#: What would start one thread, or process, a core reads one of these; each is set to the CPUs the run declared.
THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "GOMAXPROCS",
    "PYTHON_CPU_COUNT",
)


class RunsOnNode(Protocol):
    """What of an attempt its environment depends on."""

    @property
    def run_id(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def batch_id(self) -> str | None: ...
    @property
    def nonce(self) -> str: ...
    @property
    def env(self) -> Mapping[str, str]: ...
    @property
    def cpu_milli(self) -> int: ...
    @property
    def gpu_ids(self) -> tuple[str, ...]: ...


def node_environment(worker: Mapping[str, str]) -> dict[str, str]:
    """Return what all attempts on a node have in common: the environment of a Ray worker, less what Ray added."""
    base = {k: v for k, v in worker.items() if not _is_rays(k, v)}
    # Python holds back what it prints into a file, and a live log would stay empty.
    base.setdefault("PYTHONUNBUFFERED", "1")
    return base


def module_environment(node: Mapping[str, str], attempt: RunsOnNode, *, report_file: str) -> dict[str, str]:
    """Build the complete environment of an attempt from that of its node.

    A run without GPUs gets an empty `CUDA_VISIBLE_DEVICES`: unset, it could take any GPU it likes.
    """
    threads = str(max(1, attempt.cpu_milli // 1000))
    return {
        **node,
        **dict.fromkeys(THREAD_COUNTS, threads),
        **attempt.env,
        "CUDA_VISIBLE_DEVICES": ",".join(attempt.gpu_ids),
        "RUNYARD_RUN_ID": attempt.run_id,
        "RUNYARD_ATTEMPT": str(attempt.attempt),
        "RUNYARD_BATCH_ID": attempt.batch_id or "",
        COOKIE: attempt.nonce,
        "RUNYARD_REPORT": report_file,
    }


def _is_rays(name: str, value: str) -> bool:
    if name == "PYTHONBREAKPOINT":
        return value == RAYS_DEBUGGER
    return name.startswith(("RAY_", "RUNYARD_")) or name in RAYS_OWN
