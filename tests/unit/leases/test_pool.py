"""Which leases are opened and closed for the runs that need one: histories, and a machine that tries them all."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from runyard_actors.leases.lease import NOTHING, Lease, Shape
from runyard_actors.leases.pool import (
    IDLE_SECONDS,
    MOST_SLOTS,
    SETTLE_SECONDS,
    SPARE_LEASES,
    Close,
    LeasePool,
    Open,
)
from runyard_actors.run import RunId

GB = 10**9
WHOLE = Shape(cpu_milli=8_000, gpu_milli=2_000, memory_bytes=8 * GB)
SMALL = Shape(cpu_milli=1_000, gpu_milli=0, memory_bytes=GB)
LARGE = Shape(cpu_milli=8_000, gpu_milli=0, memory_bytes=GB)
#: Declares less than a worker takes.
LIGHT = Shape(cpu_milli=1, gpu_milli=0, memory_bytes=GB // 100)
ON_GPU = Shape(cpu_milli=1_000, gpu_milli=500, memory_bytes=GB)


def pool(own_limit: int = 2) -> LeasePool:
    return LeasePool(capacity=WHOLE, own_limit=own_limit)


def take(leases: LeasePool, *runs: str, shape: Shape = SMALL, now: float = 0.0) -> list[bool]:
    return [leases.take(RunId(run), f"module {run}", shape, now) for run in runs]


def opened(actions: list[Open | Close]) -> list[tuple[str, int]]:
    return [(a.lease.name, a.lease.slots) for a in actions if isinstance(a, Open)]


def closed(actions: list[Open | Close]) -> list[int]:
    return [a.lease_id for a in actions if isinstance(a, Close)]


def granted(leases: LeasePool, actions: list[Open | Close], now: float = 0.0) -> list[str]:
    return [run for a in actions if isinstance(a, Open) for run in leases.on_granted(a.lease.lease_id, now)]


def test_one_run_gets_a_lease_with_its_own_name_and_holds_it_once_granted() -> None:
    leases = pool()
    assert take(leases, "a") == [False]
    actions = leases.plan(0)
    assert opened(actions) == [("module a", 1)]
    assert granted(leases, actions) == ["a"]


def test_a_lease_that_asks_again_whether_it_is_wanted_is_no_change() -> None:
    leases = pool()
    take(leases, "a", "b")
    actions = leases.plan(0)
    assert granted(leases, actions) == ["a", "b"]
    assert granted(leases, actions, SETTLE_SECONDS) == []
    leases.tidy(SETTLE_SECONDS)
    assert opened(leases.plan(SETTLE_SECONDS)) == [("module a", 1), ("module b", 1)]


def test_runs_that_start_together_share_a_lease_of_their_sum() -> None:
    leases = pool()
    take(leases, "a", "b", "c")
    actions = leases.plan(0)
    assert opened(actions) == [("3 runs", 3)]
    assert leases.held == SMALL.times(3)
    assert granted(leases, actions) == ["a", "b", "c"]


def test_runs_on_gpus_never_share_a_lease_since_ray_takes_no_fraction_above_one() -> None:
    leases = pool()
    take(leases, "a", "b", "c", shape=ON_GPU)
    assert opened(leases.plan(0)) == [("module a", 1), ("module b", 1), ("module c", 1)]


def test_a_slot_goes_to_the_next_run_of_its_shape_at_once() -> None:
    leases = pool()
    take(leases, "a", "b")
    granted(leases, leases.plan(0))
    leases.give_back(RunId("a"), 0.1)
    assert take(leases, "c", now=0.2) == [True]
    assert leases.plan(0.2) == []


def test_runs_that_last_get_leases_of_their_own_as_far_as_the_limit_allows() -> None:
    leases = pool(own_limit=2)
    take(leases, "a", "b", "c", "d")
    granted(leases, leases.plan(0))
    leases.tidy(SETTLE_SECONDS / 2)
    assert leases.plan(SETTLE_SECONDS / 2) == []
    leases.tidy(SETTLE_SECONDS)
    actions = leases.plan(SETTLE_SECONDS)
    assert opened(actions) == [("module a", 1), ("module b", 1), ("2 runs", 2)]
    assert closed(actions) == [], "the old lease holds until all new ones do"
    granted(leases, actions, SETTLE_SECONDS)
    assert closed(leases.plan(SETTLE_SECONDS)) == [1]
    assert leases.held == SMALL.times(4)


def test_a_full_node_gives_the_shared_lease_up_first() -> None:
    leases = pool(own_limit=8)
    take(leases, *"abcdefgh")
    granted(leases, leases.plan(0))
    leases.tidy(SETTLE_SECONDS)
    actions = leases.plan(SETTLE_SECONDS)
    assert isinstance(actions[0], Close)
    assert len(opened(actions)) == 8
    assert leases.held == WHOLE or leases.held.cpu_milli == WHOLE.cpu_milli


def test_an_unused_lease_is_closed_after_a_moment() -> None:
    leases = pool()
    take(leases, "a")
    granted(leases, leases.plan(0))
    leases.give_back(RunId("a"), 1.0)
    leases.tidy(1.0 + IDLE_SECONDS / 2)
    assert leases.plan(1.5) == []
    leases.tidy(1.0 + IDLE_SECONDS)
    assert closed(leases.plan(2.0)) == [1]
    assert leases.held == NOTHING


def test_what_nobody_uses_makes_room_for_who_needs_it_at_once() -> None:
    leases = pool()
    take(leases, "a", "b")
    granted(leases, leases.plan(0))
    leases.give_back(RunId("a"), 0.1)
    leases.give_back(RunId("b"), 0.1)
    take(leases, "large", shape=LARGE, now=0.2)
    actions = leases.plan(0.2)
    assert closed(actions) == [1]
    assert opened(actions) == [("module large", 1)]


def test_the_unused_part_of_a_shared_lease_makes_room_too() -> None:
    leases = pool()
    take(leases, *"abcdefgh")
    granted(leases, leases.plan(0))
    for run in "bcdefgh":
        leases.give_back(RunId(run), 0.1)
    half = Shape(cpu_milli=4_000, gpu_milli=0, memory_bytes=GB // 10)
    take(leases, "half", shape=half, now=0.2)
    actions = leases.plan(0.2)
    assert closed(actions) == [1]
    assert opened(actions) == [("module a", 1), ("module half", 1)]


def test_a_lost_lease_is_taken_again_for_its_runs() -> None:
    leases = pool()
    take(leases, "a", "b")
    granted(leases, leases.plan(0))
    leases.on_lost(1)
    actions = leases.plan(1.0)
    assert opened(actions) == [("2 runs", 2)]
    assert granted(leases, actions) == ["a", "b"]


def test_a_run_that_is_gone_before_its_lease_was_granted_leaves_it_unused() -> None:
    leases = pool()
    take(leases, "a")
    actions = leases.plan(0)
    leases.give_back(RunId("a"), 0.1)
    assert granted(leases, actions, 0.2) == []
    leases.tidy(0.2 + IDLE_SECONDS)
    assert closed(leases.plan(2.0)) == [1]


class Yard:
    """A node with room for a thousand runs of a shape, where Ray grants each lease at once."""

    def __init__(self, own_limit: int, shape: Shape = SMALL) -> None:
        self.leases = LeasePool(capacity=shape.times(1_000), own_limit=own_limit)
        self.shape = shape
        self.open: dict[int, Lease] = {}
        self.now = 0.0

    def start(self, *runs: str) -> None:
        take(self.leases, *runs, shape=self.shape, now=self.now)
        self.carry_out()

    def end(self, run: str) -> None:
        self.leases.give_back(RunId(run), self.now)
        self.carry_out()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.leases.tidy(self.now)
        self.carry_out()

    def carry_out(self) -> None:
        while actions := self.leases.plan(self.now):
            for action in actions:
                if isinstance(action, Open):
                    self.open[action.lease.lease_id] = action.lease
                else:
                    del self.open[action.lease_id]
            granted(self.leases, actions, self.now)


def test_runs_that_start_one_after_the_other_and_last_do_not_keep_a_worker_each() -> None:
    yard = Yard(own_limit=8)
    for number in range(400):
        yard.start(str(number))
        yard.wait(0.5)
        assert len(yard.open) <= 8 + SPARE_LEASES + 1 + 400 // (MOST_SLOTS // 2)
    for _ in range(4):
        yard.wait(SETTLE_SECONDS)
    assert sum(lease.is_own for lease in yard.open.values()) >= 8
    assert sorted(run for lease in yard.open.values() for run in lease.runs) == sorted(map(str, range(400)))


def test_many_that_declare_less_than_a_worker_takes_have_none_to_themselves() -> None:
    # Given a few, each of which has a lease of its own name
    yard = Yard(own_limit=8, shape=LIGHT)
    yard.start(*(f"few{number}" for number in range(8)))
    yard.wait(10)
    assert sorted(lease.name for lease in yard.open.values()) == [
        f"module few{number}" for number in range(8)
    ]
    # When there are more of them
    yard.start(*(f"more{number}" for number in range(100)))
    yard.wait(10)
    # Then all share one
    assert [lease.slots for lease in yard.open.values()] == [108]
    # And once few are left, they have their own again
    for number in range(100):
        yard.end(f"more{number}")
    yard.wait(10)
    assert sorted(lease.name for lease in yard.open.values()) == [
        f"module few{number}" for number in range(8)
    ]


def test_runs_that_take_the_place_of_others_for_hours_need_no_more_leases_than_at_first() -> None:
    yard = Yard(own_limit=8)
    yard.start(*map(str, range(500)))
    for _ in range(5):
        yard.wait(SETTLE_SECONDS)
    at_first = len(yard.open)
    for number in range(2_000):
        yard.end(str(number))
        yard.start(str(number + 500))
        yard.wait(0.5)
        assert len(yard.open) <= at_first + SPARE_LEASES


class Pool(RuleBasedStateMachine):
    """Takes, ends, grants and losses in any order, within what the machine has."""

    @initialize(own_limit=st.integers(0, 4))
    def start(self, own_limit: int) -> None:
        self.leases = LeasePool(capacity=WHOLE, own_limit=own_limit)
        self.now = 0.0
        self.number = 0
        self.runs: dict[RunId, Shape] = {}
        self.holding: set[RunId] = set()
        self.open: dict[int, Lease] = {}
        self.pending: set[int] = set()

    @rule(shape=st.sampled_from([SMALL, LARGE, ON_GPU, LIGHT]), count=st.integers(1, 5))
    def runs_start(self, shape: Shape, count: int) -> None:
        for _ in range(count):
            if not self.needed().plus(shape).fits_into(WHOLE):
                break
            self.number += 1
            run = RunId(str(self.number))
            self.runs[run] = shape
            if self.leases.take(run, f"module {run}", shape, self.now):
                self.holding.add(run)
        self.carry_out()

    @rule(data=st.data())
    def run_ends(self, data: st.DataObject) -> None:
        if self.runs:
            run = data.draw(st.sampled_from(sorted(self.runs)))
            self.leases.give_back(run, self.now)
            del self.runs[run]
            self.holding.discard(run)
            self.carry_out()

    @rule(data=st.data())
    def lease_is_granted(self, data: st.DataObject) -> None:
        if self.pending:
            lease_id = data.draw(st.sampled_from(sorted(self.pending)))
            self.pending.discard(lease_id)
            self.holding |= set(self.leases.on_granted(lease_id, self.now))
            self.carry_out()

    @rule(data=st.data())
    def lease_is_lost(self, data: st.DataObject) -> None:
        if self.open:
            lease_id = data.draw(st.sampled_from(sorted(self.open)))
            self.pending.discard(lease_id)
            del self.open[lease_id]
            self.leases.on_lost(lease_id)
            self.carry_out()

    @rule(seconds=st.sampled_from([0.1, 0.6, 2.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.leases.tidy(self.now)
        self.carry_out()

    @invariant()
    def no_more_is_held_than_there_is(self) -> None:
        if hasattr(self, "leases"):
            assert self.leases.held.fits_into(WHOLE)

    @invariant()
    def every_run_has_exactly_one_slot(self) -> None:
        if hasattr(self, "leases"):
            inside = [run for lease in self.open.values() for run in lease.runs]
            assert sorted(inside) == sorted(self.runs)
            assert all(len(lease.runs) <= lease.slots for lease in self.open.values())

    def teardown(self) -> None:
        """Once all is granted and quiet, exactly what runs need is held, and every run holds its part."""
        if not hasattr(self, "leases"):
            return
        for _ in range(6):
            for lease_id in sorted(self.pending):
                self.holding |= set(self.leases.on_granted(lease_id, self.now))
            self.pending.clear()
            self.time_passes(2.0)
        assert self.leases.held == self.needed()
        assert self.holding == set(self.runs)

    def needed(self) -> Shape:
        total = NOTHING
        for shape in self.runs.values():
            total = total.plus(shape)
        return total

    def carry_out(self) -> None:
        for action in self.leases.plan(self.now):
            if isinstance(action, Open):
                self.open[action.lease.lease_id] = action.lease
                self.pending.add(action.lease.lease_id)
            else:
                self.pending.discard(action.lease_id)
                del self.open[action.lease_id]


TestPool = Pool.TestCase
