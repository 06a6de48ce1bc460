"""Turns: the first line and the first kind are those of the least key, whatever moved since they were listed."""

from __future__ import annotations

from collections import deque

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runyard_actors.scheduling.line import Entry, Kind, Lane, Line, Shape
from runyard_actors.scheduling.order import NOWHERE
from runyard_actors.scheduling.semaphore import Semaphore
from tests.unit.scheduling.playing import request, run

LANES = 3
KINDS = 3

#: A lane, a kind, and what happens there: its first run starts, or is gone without a turn, the line is set aside, or
#: listed again.
moves = st.tuples(
    st.integers(0, LANES - 1), st.integers(0, KINDS - 1), st.sampled_from(["start", "cancel", "park", "list"])
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(moves=st.lists(moves, max_size=40))
def test_the_first_is_the_least(moves: list[tuple[int, int, str]]) -> None:
    """Compared with the least of all keys after each start and each change."""
    shape = Shape(0, request(cpus=1))
    kinds = [Kind(shape, f"m{i}", Semaphore()) for i in range(KINDS)]
    lanes = [Lane(0, None, None, 1) for _ in range(LANES)]
    lines = {(i, j): _line(lanes[i], kinds[j], i, j) for i in range(LANES) for j in range(KINDS)}
    listed = dict.fromkeys(lines.values())
    for line in lines.values():
        line.kind.lines.put(line)
        shape.kinds.put(line.kind)
    for i, j, what in moves:
        line = lines[i, j]
        if what in ("start", "cancel") and len(line.entries) > 1:
            line.entries.popleft()
            line.lane.turn += what == "start"
        elif what == "park":
            listed.pop(line, None)
            line.kind.lines.discard(line)
            if not line.kind.lines:
                shape.kinds.discard(line.kind)
        elif what == "list":
            listed[line] = None
            line.kind.lines.put(line)
            shape.kinds.put(line.kind)
        assert shape.kinds.least() == min((each.key() for each in listed), default=NOWHERE)
        if listed:
            assert shape.line() is min(listed, key=Line.key)


def _line(lane: Lane, kind: Kind, i: int, j: int) -> Line:
    """A line of twenty runs; no two of the whole have the same place by arrival."""
    return Line(
        lane,
        kind,
        deque(Entry(run(f"r{n}"), n * LANES * KINDS + i * KINDS + j, kind.module, None) for n in range(20)),
    )
