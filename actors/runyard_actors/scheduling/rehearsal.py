"""Rehearsal: when queued runs may be expected to start, by playing what is to come on a copy of the books.

The copy is decided by the code that decides in earnest. What comes later than now is not in it: runs that are
submitted, retries, nodes that come and go, guards that are lifted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush

from runyard_actors.run import RunId
from runyard_actors.scheduling.admission import Admission
from runyard_actors.scheduling.head import Head
from runyard_actors.scheduling.line import Entry, Stage

#: How many queued runs are asked for if nothing else is said; each takes some 50 microseconds.
FIRST = 200

#: A run that takes longer than it was expected to is expected to go on for this share of what it took so far.
OVERDUE = 0.1


def expected_starts(
    admission: Admission, durations: Mapping[str, float | None], elapsed: Mapping[RunId, float], count: int
) -> dict[RunId, float | None]:
    """Return in how many seconds each of the first queued runs starts; None where that cannot be known."""
    first = admission.queue.first(count)
    ends: list[tuple[float, int, Entry]] = []
    stage, active = _copy(admission, first)
    for entry in active:
        expected = durations.get(entry.run.module_id)
        if expected is not None:
            so_far = elapsed.get(entry.run.run_id, 0.0)
            heappush(
                ends,
                (max(expected - so_far, OVERDUE * so_far if so_far > expected else 0.0), entry.seq, entry),
            )
    return _play(stage, first, ends, durations)


def _play(
    stage: Admission,
    first: Iterable[Entry],
    ends: list[tuple[float, int, Entry]],
    durations: Mapping[str, float | None],
) -> dict[RunId, float | None]:
    now = 0.0
    starts: dict[RunId, float | None] = {entry.run.run_id: None for entry in first}
    while True:
        while (entry := stage.next_start()) is not None:
            starts[entry.run.run_id] = now
            expected = durations.get(entry.run.module_id)
            if expected is not None:
                heappush(ends, (now + expected, entry.seq, entry))
        if not ends or not stage.queue.length:
            return starts
        now = ends[0][0]
        while ends and ends[0][0] == now:
            stage.release(heappop(ends)[2])


def _copy(admission: Admission, first: Iterable[Entry]) -> tuple[Admission, list[Entry]]:
    """Return the books with these queued runs, and the active runs in them."""
    total = admission.limits.total.limit
    copy = Admission(admission.limits.total.members if total is None else total)
    copy.nodes = admission.nodes.copy()
    copy.limits.copy_limits(admission.limits)
    active = []
    for other in admission.active:
        entry = copy.limits.enter(other.run, other.seq)
        entry.stage, entry.placement = Stage.ACTIVE, other.placement
        copy.limits.take(entry)
        active.append(entry)
        if entry.placement is not None:
            copy.active.add(entry, entry.placement.node)
    copy.active.copy_use(admission.active)
    for entry in sorted(first, key=lambda entry: entry.seq):
        copy.enqueue(copy.limits.enter(entry.run, entry.seq))
    copy.queue.copy_turns(admission.queue)
    _copy_head(admission, copy)
    return copy, active


def _copy_head(admission: Admission, copy: Admission) -> None:
    """Keep for the head what is kept for it; it is the first in the queue, or among the first."""
    head = admission.head
    line = copy.queue.find_line(head.entry.run) if head is not None else None
    if head is not None and line is not None and line.entries[0].seq == head.entry.seq:
        able = copy.nodes.able(head.entry.run.request)
        copy.head = Head(line.entries[0], line, able, reservation=head.reservation)
