"""Retry failed: the failed runs of a batch, submitted again as new runs of the same batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from runyard_actors.ids import new_ids
from runyard_actors.manager.messages import Accepted, Submission
from runyard_actors.manager.submit import answer_to_key, submit
from runyard_actors.manager.yard import Yard
from runyard_actors.run import BatchId, RunId, RunSpec
from runyard_actors.terms import anew
from runyard_cluster.errors import ConflictError, NotFoundError


async def retry_failed(yard: Yard, batch_id: BatchId, key: str | None, digest: str | None) -> Accepted:
    """Submit again what failed and was not restarted since; each new run names the one it stands for.

    With a key, the same call again gets the same answer. Raises NotFoundError, or ConflictError when nothing is left
    to retry, or the key was used for another request.
    """
    # One at a time: two that both read what failed would both submit it.
    async with yard.retrying:
        if earlier := await answer_to_key(yard, key, digest):
            return earlier
        batch = await asyncio.to_thread(yard.reader.batch_spec, batch_id)
        if batch is None:
            raise NotFoundError(f"no batch {batch_id} is known")
        runs = _again(await asyncio.to_thread(yard.reader.failed_specs, batch_id))
        if not runs:
            raise ConflictError(f"batch {batch_id} has no failed run that was not retried already")
        return await submit(
            yard,
            Submission(runs=runs, batch=batch, when_full="queue", idempotency_key=key, digest=digest),
        )


def _again(failed: Sequence[RunSpec]) -> tuple[RunSpec, ...]:
    ids = new_ids(len(failed))
    return tuple(
        replace(
            spec,
            run_id=RunId(new),
            restarted_from=spec.run_id,
            memory_retries=0,
            after=(),
            terms=anew(spec.terms),
        )
        for spec, new in zip(failed, ids, strict=True)
    )
