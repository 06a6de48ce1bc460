"""Near the end of memory nothing starts; at the end the run furthest over its own declaration goes, and no other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runyard_actors.manager.pressure import MemoryUse, Pressure, judge
from tests.unit.manager.making import GIB, active


def use(used: int, declared: int) -> MemoryUse:
    return MemoryUse(active(), used, declared)


def test_with_memory_left_nothing_follows() -> None:
    assert judge(91.9, [use(9 * GIB, GIB)]) == Pressure()


def test_from_92_percent_on_nothing_starts_and_nobody_is_stopped() -> None:
    found = judge(92.4, [use(9 * GIB, GIB)])
    assert found.hold == "92 % of the machine's memory is in use, the limit for new starts is 92 %"
    assert (found.victim, found.warning) == (None, None)


def test_from_96_percent_on_the_run_furthest_over_its_own_goes_and_not_the_largest() -> None:
    large, over, further = use(30 * GIB, 32 * GIB), use(3 * GIB, 2 * GIB), use(3 * GIB, GIB)
    assert judge(96.0, [large, over, further]).victim is further


def test_where_all_keep_to_what_they_declared_nobody_is_stopped_and_that_is_told() -> None:
    found = judge(99.0, [use(4 * GIB, 4 * GIB), use(GIB, 2 * GIB)])
    assert found.victim is None
    assert found.hold is not None
    assert found.warning is not None and "no run is over what it declared" in found.warning


@given(
    st.floats(0, 100),
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=6),
)
def test_whatever_the_figures_nobody_inside_its_declaration_goes(
    percent: float, runs: list[tuple[int, int]]
) -> None:
    uses = [use(used, declared) for used, declared in runs]
    found = judge(percent, uses)
    if found.victim is not None:
        assert percent >= 96
        assert found.victim.used > found.victim.declared
        assert all(found.victim.over >= each.over for each in uses)
    elif percent >= 96:
        assert all(each.used <= each.declared for each in uses)
    assert (found.hold is None) == (percent < 92)
