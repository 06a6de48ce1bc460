"""Modules run at once under a limit, from async code: results in order, exceptions in their places."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from runyard.batch import Batch
from runyard.module import ModuleLike, Path, Size, body_of
from runyard.run import Run, RunResult
from runyard.submission import submit, submit_batch
from runyard_cluster.errors import ConflictError, RunError


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceManager:
    """What each run may use, where its module says nothing: 2 cores and 4 GiB, no GPU.

    The RunManager holds these against the node before every start, and looks at the machine itself as well:
    free memory, GPUs, and how busy other programs keep the CPU (`cpu_busy_percent`, 80 by default).
    """

    num_cpus: float | str = 2
    memory: Size = "4GiB"
    num_gpus: float = 0
    gpu_memory: Size = 0

    def requests(self) -> dict[str, Any]:
        """Return the defaults as fields of a run."""
        return {
            "num_cpus": self.num_cpus,
            "memory": self.memory,
            "num_gpus": self.num_gpus,
            "gpu_memory": self.gpu_memory,
        }


class ConcurrentExecutor:
    """Runs modules at once, at most `max_concurrent` of them. Use it as `async with`.

    Leaving the block after an exception cancels what it still runs; leaving it normally waits for nothing.
    """

    def __init__(self, max_concurrent: int = 10, resource_manager: ResourceManager | None = None) -> None:
        self._max_concurrent = max_concurrent
        self._defaults = resource_manager.requests() if resource_manager else {}
        self._slots = asyncio.Semaphore(max_concurrent)
        self._runs: set[Run] = set()

    async def __aenter__(self) -> ConcurrentExecutor:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            await asyncio.to_thread(self._cancel_all)

    async def execute_module(
        self, module_id: str, script_path: Path, args: Sequence[str] = (), **fields: Any
    ) -> RunResult:
        """Run one script when a slot is free; return its result, or raise a RunError."""
        async with self._slots:
            body = {**self._defaults, **body_of((module_id, script_path, args)), **fields}
            run = await asyncio.to_thread(submit, body)
            self._watch([run])
            return await run

    async def execute_batch(self, modules: Iterable[ModuleLike]) -> list[RunResult | RunError]:
        """Run all; return results in order, with a RunError in the place of each run that did not complete."""
        bodies = [{**self._defaults, **body_of(module)} for module in modules]
        if not bodies:
            return []
        batch: Batch = await asyncio.to_thread(submit_batch, bodies, max_concurrent=self._max_concurrent)
        self._watch(batch.runs)
        return await batch.async_results(return_exceptions=True)

    def _watch(self, runs: Sequence[Run]) -> None:
        self._runs.update(runs)
        for run in runs:
            run.add_done_callback(self._runs.discard)

    def _cancel_all(self) -> None:
        for run in list(self._runs):
            try:
                run.cancel("its executor was left by an exception")
            except ConflictError:
                continue
