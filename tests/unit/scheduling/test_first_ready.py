"""The first that may have room: by the lane whose turn it is, or by the shapes, whichever is asked."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runyard_actors.run import RunId
from runyard_actors.scheduling.limits import Limits
from runyard_actors.scheduling.line import Entry, Line, Place
from runyard_actors.scheduling.queue import FEW, Queue
from tests.unit.scheduling.playing import run

BATCHES = ("x", "y", None)
WHAT = ("add", "add", "add", "start", "start", "start", "gone", "again", "block", "park")

#: What happens, and to which batch, priority and request, or to which of the queued runs.
events = st.tuples(st.sampled_from(WHAT), st.integers(0, 11))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=st.lists(events, min_size=20, max_size=40), width=st.sampled_from([2, 6, FEW + 1]))
def test_the_first_is_the_first_of_all_that_are_not_held_up(
    history: list[tuple[str, int]], width: int
) -> None:
    """Compared with a look at all queued runs; a lane with more than a few lines is looked at in another way."""
    queue, limits = Queue(), Limits(10)
    queued: dict[int, Entry] = {}
    started: list[Entry] = []
    parked: dict[Line, None] = {}
    for seq, (what, number) in enumerate(history):
        if what == "add":
            batch, priority = BATCHES[number % 3], number // 9
            for i in range(width if number % 2 else 1):
                name = f"r{seq}.{i}"
                new = run(
                    name,
                    cpus=1 + (number + i) % width,
                    batch=batch,
                    priority=priority,
                    module=f"m{number % 2}",
                )
                queued[seq * 100 + i] = entry = limits.enter(new, seq * 100 + i)
                queue.add(entry)
        elif what == "again" and started:
            entry = started.pop()
            for line in [each for each in parked if each.lane.batch is entry.batch]:
                _park_or_relist(queue, parked, line)  # Its slot is free again.
            queued[entry.seq] = entry
            queue.add(entry)
            queue.undo_turn(queue.line_of(entry).lane)
        elif queued:
            entry = queued[sorted(queued)[number % len(queued)]]
            line = queue.line_of(entry)
            if what == "start" and (best := _best(queue, queued, parked)) is not None:
                started.append(best)
                _take_out(queue, queued, parked, best, is_start=True)
            elif what == "gone":
                _take_out(queue, queued, parked, entry, is_start=False)
            elif what == "block":
                shape = line.kind.shape
                if shape.kinds:
                    queue.move(shape, Place.BLOCKED if shape.place is Place.READY else Place.READY)
            elif what == "park" and line.lane.batch is not None:
                _park_or_relist(queue, parked, line)
        best = _best(queue, queued, parked)
        found = queue.first_ready()
        assert (found is None) == (best is None)
        if found is not None and best is not None:
            assert found.line().entries[0].run.run_id == best.run.run_id


def _best(queue: Queue, queued: dict[int, Entry], parked: dict[Line, None]) -> Entry | None:
    """The first in the queue's order of all that are not held up."""

    def candidates() -> Iterator[tuple[int, int, int, RunId]]:
        for entry in queued.values():
            line = queue.line_of(entry)
            if line not in parked and line.kind.shape.place is Place.READY:
                yield -entry.run.priority, line.lane.turn, entry.seq, entry.run.run_id

    best = min(candidates(), default=None)
    return None if best is None else queued[best[2]]


def _take_out(
    queue: Queue, queued: dict[int, Entry], parked: dict[Line, None], entry: Entry, *, is_start: bool
) -> None:
    """A run starts, or is cancelled."""
    line = queue.line_of(entry)
    del queued[entry.seq]
    if is_start:
        queue.count_turn(line.lane)
    queue.remove(entry, line)
    if not line.entries and line.lane.batch is not None:
        line.lane.batch.semaphore.parked.pop(line, None)
        parked.pop(line, None)


def _park_or_relist(queue: Queue, parked: dict[Line, None], line: Line) -> None:
    """Set a line aside as its batch has no slot, or list it again."""
    batch = line.lane.batch
    if batch is None:
        return
    if line in parked:
        del parked[line], batch.semaphore.parked[line]
        queue.relist(line)
    else:
        parked[line] = None
        queue.park(line, batch)
