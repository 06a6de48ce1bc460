"""Restart: the submission of a run again, with what the caller wants different."""

from __future__ import annotations

from dataclasses import replace

from runyard.server.context import Context
from runyard.server.node_choice import checked_node
from runyard.server.schemas import RestartIn
from runyard_actors.ids import new_id
from runyard_actors.manager.messages import Submission
from runyard_actors.request import WHOLE, Request
from runyard_actors.run import RunId, RunSpec
from runyard_actors.terms import anew
from runyard_cluster.capacity import auto_request


def restarted(spec: RunSpec, edits: RestartIn, here: Context) -> Submission:
    """Return the submission of a new run like `spec`, changed as `edits` say.

    New args stand in place of all that followed the program and, for a script, the script.
    """
    request, note = _request(spec, edits, here)
    command = spec.command if edits.args is None else (*spec.command[: spec.args_from], *edits.args)
    new = replace(
        spec,
        run_id=RunId(new_id()),
        restarted_from=spec.run_id,
        batch_id=None,
        batch_index=None,
        after=(),
        terms=anew(spec.terms),
        command=command,
        env={**spec.env, **(edits.env or {})},
        module_name=edits.name or spec.module_name,
        labels=spec.labels if edits.labels is None else edits.labels,
        request=request,
        request_note=note,
        timeout_seconds=spec.timeout_seconds if edits.timeout is None else edits.timeout,
        stall_after_seconds=spec.stall_after_seconds if edits.stall_after is None else edits.stall_after,
        on_stall=edits.on_stall or spec.on_stall,
        priority=spec.priority if edits.priority is None else edits.priority,
        max_retries=spec.max_retries if edits.max_retries is None else edits.max_retries,
        retry_on_out_of_memory=(
            spec.retry_on_out_of_memory
            if edits.retry_on_out_of_memory is None
            else edits.retry_on_out_of_memory
        ),
        memory_retries=0,
        max_concurrent=spec.max_concurrent if edits.max_concurrent is None else edits.max_concurrent,
    )
    return Submission(runs=(new,))


def _request(spec: RunSpec, edits: RestartIn, here: Context) -> tuple[Request, str | None]:
    old, defaults = spec.request, here.settings.defaults
    auto_cpu, auto_memory = auto_request(here.capacity, here.settings.max_concurrent_runs)
    cpus, memory, gpu_memory = edits.num_cpus, edits.memory, edits.gpu_memory
    if memory == "learn":
        memory = defaults.memory
    request = Request(
        cpu_milli=old.cpu_milli if cpus is None else auto_cpu if cpus == "auto" else round(cpus * WHOLE),
        memory_bytes=old.memory_bytes
        if memory is None
        else auto_memory
        if isinstance(memory, str)
        else memory,
        gpu_milli=old.gpu_milli if edits.num_gpus is None else round(edits.num_gpus * WHOLE),
        gpu_memory_bytes=old.gpu_memory_bytes if gpu_memory is None else _bytes(gpu_memory),
        node=checked_node(edits.node or old.node),
    )
    if edits.memory != "learn" and gpu_memory != "learn":
        is_as_noted = (request.memory_bytes, request.gpu_memory_bytes) == (
            old.memory_bytes,
            old.gpu_memory_bytes,
        )
        return request, spec.request_note if is_as_noted and not spec.memory_retries else None
    return here.learner().learned(
        spec.module_id, request, memory=edits.memory == "learn", gpu_memory=gpu_memory == "learn"
    )


def _bytes(gpu_memory: int | str) -> int:
    """What is to be learned is nothing by default."""
    return 0 if isinstance(gpu_memory, str) else gpu_memory
