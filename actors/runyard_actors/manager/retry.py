"""Retry: whether a run that failed is queued again, and with how much memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runyard_actors.manager.active import ActiveRun
from runyard_actors.request import Request
from runyard_actors.run import Outcome, Reason, RunSpec, Status
from runyard_actors.scheduling.core import Core
from runyard_actors.terms import Terms
from runyard_cluster.durations import format_duration
from runyard_cluster.sizes import format_size

#: How often a run that had too little memory is queued again with more; these do not count for `max_retries`.
MEMORY_RETRIES = 3

_SHORT_OF_MEMORY = frozenset({Reason.MEMORY_LIMIT, Reason.GPU_MEMORY_LIMIT, Reason.OUT_OF_MEMORY})


@dataclass(frozen=True, slots=True)
class Retry:
    """The run is queued again: `spec` is how, `request` what it asks for if not for the same, `words` say so.

    `not_before` is the moment that it waits for, in microseconds since the epoch.
    """

    spec: RunSpec
    request: Request | None = None
    words: str = ""
    not_before: int | None = None


def retry(core: Core, attempt: ActiveRun, outcome: Outcome) -> Retry | None:
    """Return how the run is queued again; None if it has ended.

    A run that could not even be started would fail the same way again, so only real failures are retried.
    """
    spec = attempt.spec
    if spec is None or attempt.cancel or outcome.status is not Status.FAILED:
        return None
    if outcome.reason in _SHORT_OF_MEMORY and (larger := _with_more_memory(core, spec, outcome)):
        return larger
    retries = attempt.attempt - spec.memory_retries - 1
    if retries >= spec.max_retries or outcome.reason is Reason.START_ERROR:
        return None
    return Retry(spec) if spec.terms is None else _on_terms(spec, spec.terms, outcome, retries)


def _on_terms(spec: RunSpec, terms: Terms, outcome: Outcome, retries: int) -> Retry | None:
    """Return how a run is queued again that says by which exit codes, or how long after."""
    codes = terms.retry_exit_codes
    if codes is not None and (outcome.reason is not Reason.EXIT_CODE or outcome.exit_code not in codes):
        return None
    delay = terms.retry_delay(retries)
    if not delay:
        return Retry(spec)
    not_before = outcome.ended_at + round(delay * 1_000_000)
    return Retry(spec, words=f"retrying in {format_duration(delay)}", not_before=not_before)


def _with_more_memory(core: Core, spec: RunSpec, outcome: Outcome) -> Retry | None:
    factor = spec.retry_on_out_of_memory
    if factor is None or spec.memory_retries >= MEMORY_RETRIES:
        return None
    of_gpu = outcome.is_of_gpu or outcome.reason is Reason.GPU_MEMORY_LIMIT
    request = core.with_more_memory(spec.request, factor, of_gpu=of_gpu)
    if request is None:
        return None
    size = format_size(request.gpu_memory_bytes if of_gpu else request.memory_bytes)
    words = f"retrying with {size}" + (" gpu_memory" if of_gpu else "")
    return Retry(replace(spec, request=request, memory_retries=spec.memory_retries + 1), request, words)
