"""Circles: runs that would wait for each other for ever are refused at submit, be it through whole batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from runyard_actors.manager.messages import Submission
from runyard_actors.run import BatchId, RunId, RunSpec
from runyard_cluster.errors import InvalidRequestError

if TYPE_CHECKING:
    from runyard_actors.manager.yard import Yard

#: Tells who waits for a run or a batch, each with the batch that it belongs to.
WaitingOn = Callable[[RunId], Sequence[tuple[RunId, BatchId | None]]]
#: Steps of a circle that are told at most.
SHOWN_STEPS = 6


def refuse_circles(yard: Yard, submission: Submission) -> None:
    """Refuse runs that come after each other, or after what waits for the batch that they belong to.

    Nothing may be awaited between this and the moment from which the submission counts as on its way: of two that
    would make a circle together, the second has to see the first. Raises InvalidRequestError.
    """
    if cycle := next(_cycles(submission.runs), None):
        raise InvalidRequestError(f"runs depend on each other in a circle: {cycle}")
    if submission.batch is None:
        return

    coming = yard.admitting.waiting()

    def waiting_on(run_id: RunId) -> Sequence[tuple[RunId, BatchId | None]]:
        return [*yard.core.waiting_on(run_id), *coming.get(run_id, ())]

    held_up = held_up_by(submission.batch.batch_id, waiting_on)
    bad = [
        {"index": i, "field": "after", "message": _words(each, held_up)}
        for i, spec in enumerate(submission.runs)
        for each in spec.comes_after
        if each in held_up
    ]
    if bad:
        raise InvalidRequestError("; ".join(str(b["message"]) for b in bad[:5]), bad)


def held_up_by(batch_id: BatchId, waiting_on: WaitingOn) -> dict[RunId, RunId | None]:
    """Return all that cannot end before a batch does, each with what holds it up; the batch itself with None.

    A run is held up by what it comes after, and a batch by each of its runs.
    """
    found: dict[RunId, RunId | None] = {RunId(batch_id): None}
    unseen = list(found)
    while unseen:
        earlier = unseen.pop()
        for run_id, its_batch in waiting_on(earlier):
            steps = [(run_id, earlier)] + ([(RunId(its_batch), run_id)] if its_batch else [])
            fresh = {later: before for later, before in steps if later not in found}
            found |= fresh
            unseen += fresh
    return found


def _words(wanted: RunId, held_up: Mapping[RunId, RunId | None]) -> str:
    step = held_up[wanted]
    if step is None:
        return "a run cannot come after the batch that it belongs to"
    way = [wanted]
    while step is not None:
        way.append(step)
        step = held_up[step]
    shown = [*way[:SHOWN_STEPS], "…", way[-1]] if len(way) > SHOWN_STEPS + 1 else way
    return (
        f"a run of batch {way[-1]} cannot come after {wanted}, which waits for that batch itself: "
        + " after ".join(shown)
    )


def _cycles(runs: tuple[RunSpec, ...]) -> Iterator[str]:
    after = {spec.run_id: before for spec in runs if (before := list(spec.comes_after))}
    done: set[str] = set()
    for root in after:
        stack, path = [(root, iter(after[root]))], {root}
        while stack:
            node, dependencies = stack[-1]
            step = next(dependencies, None)
            if step is None:
                stack.pop()
                path.discard(node)
                done.add(node)
            elif step in path:
                yield f"{node} comes after {step}"
                return
            elif step in after and step not in done:
                path.add(step)
                stack.append((step, iter(after[step])))
