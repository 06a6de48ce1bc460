"""The shape index answers what a look at every shape would, whatever came in, went out and moved."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runyard_actors.request import Request
from runyard_actors.run import Placement, RunId
from runyard_actors.scheduling.decision import QueuedRun
from runyard_actors.scheduling.ledger import NodeLedger
from runyard_actors.scheduling.line import Entry, Kind, Shape
from runyard_actors.scheduling.queue import Queue
from runyard_actors.scheduling.semaphore import Semaphore
from runyard_actors.scheduling.shape_index import ShapeIndex
from tests.unit.scheduling.playing import node

Ask = tuple[int, int, int, int]

asks = st.one_of(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.just(0), st.just(0)),
    st.tuples(st.integers(0, 2), st.just(0), st.sampled_from([0, 500, 1000, 2000]), st.integers(0, 9)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(st.tuples(st.sampled_from("aaarn"), asks, st.integers(0, 999)), max_size=150),
    rooms=st.lists(asks, min_size=1, max_size=5),
)
def test_it_finds_the_first_that_fits(steps: list[tuple[str, Ask, int]], rooms: list[Ask]) -> None:
    index, queue = ShapeIndex(), Queue()
    for number, (step, ask, dice) in enumerate(steps):
        if step == "a":
            index.put(_queued(queue, ask, number))
        elif queue.shapes:
            shape = list(queue.shapes.values())[dice % len(queue.shapes)]
            if step == "r":
                index.discard(shape)
            _start_first(queue, shape, index)
        _check(index, queue, [_room(each) for each in rooms])


def test_thousands_come_and_go_in_a_row() -> None:
    """Each asks for more than all before it, so they all come in at one end of the tree, and leave at the other."""
    index, queue, dice = ShapeIndex(), Queue(), random.Random(1)
    shapes: list[Shape] = []
    for number in range(3000):
        shapes.append(_queued(queue, (number, number, 0, 0), number))
        index.put(shapes[-1])
        if len(shapes) > 50:
            gone = shapes.pop(0)
            index.discard(gone)
            _start_first(queue, gone, index)
        if number % 100 == 0:
            _check(index, queue, [_room((dice.randrange(3000), 3000, 0, 0))])


def _queued(queue: Queue, ask: Ask, number: int) -> Shape:
    cpu, memory, share, vram = ask
    asked = Request(cpu_milli=cpu, memory_bytes=memory, gpu_milli=share, gpu_memory_bytes=vram)
    run = QueuedRun(RunId(f"r{number}"), asked, "m")
    queue.add(Entry(run, number, _MODULE, None))
    return queue.shapes[0, asked]


def _start_first(queue: Queue, shape: Shape, index: ShapeIndex) -> None:
    """Take out the first run of a shape, without a word to the index unless that was its last."""
    shape.key()
    line = shape.line()
    if len(line.entries) == 1:
        index.discard(shape)
    queue.remove(line.entries[0], line)


def _room(ask: Ask) -> NodeLedger:
    """What is left on a node of 10 CPU thousandths and 10 bytes, with two GPUs, by one who took this."""
    cpu, memory, share, vram = ask
    ledger = NodeLedger(node("n", cpus=0.01, gib=10 / 2**30, gpus=(10 / 2**30, 10 / 2**30)))
    asked = Request(cpu_milli=cpu, memory_bytes=memory, gpu_milli=share % 2000, gpu_memory_bytes=vram)
    ledger.take(asked, Placement(node="n", gpu_indexes=(0,) if asked.needs_gpu else ()))
    return ledger


def _check(index: ShapeIndex, queue: Queue, rooms: list[NodeLedger]) -> None:
    blocked = [shape for shape in queue.shapes.values() if shape in index]
    assert index.first() is min(blocked, key=Shape.key, default=None)
    for room in rooms:
        fitting = [shape for shape in blocked if room.fit(shape.request) is not None]
        assert index.first_fit(room, None) is min(fitting, key=Shape.key, default=None)


_MODULE: Semaphore[Kind] = Semaphore()
