"""A run's control group: what is written where, and what is read from what the kernel counts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from runyard_actors.shim import _hold
from runyard_actors.shim.limit import passed_its_memory
from runyard_actors.shim.spec import ShimSpec
from runyard_cluster.process._cgroup import ControlGroup
from tests.unit.cluster.group_tree import make_group

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="control groups are Linux's")


def spec(parent: Path, **fields: Any) -> ShimSpec:
    return ShimSpec(
        run_id="r", attempt=1, nonce="n", command=["true"], cwd="/", env={}, cgroup=str(parent), **fields
    )


def test_every_limit_is_written_as_the_kernel_reads_it(tmp_path: Path) -> None:
    folder = make_group(tmp_path / "runyard-n")
    wanted = spec(tmp_path, memory_bytes=1 << 30, max_processes=60, cpu_milli=2500)
    group = _hold.own_group(wanted)
    assert group is not None
    assert _hold.limit(group, wanted) == {
        "memory": "cgroup",
        "cpu": "weight",
        "processes": "cgroup",
        "tree": "cgroup",
    }
    names = ("memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.weight")
    assert [(folder / n).read_text() for n in names] == ["1073741824", "0", "1", "60", "25"]


@pytest.mark.parametrize(
    ("without", "limit", "otherwise"),
    [("memory", "memory", "poll"), ("pids", "processes", "poll"), ("cpu", "cpu", "nice")],
)
def test_what_the_kernel_does_not_offer_is_held_in_another_way(
    tmp_path: Path, without: str, limit: str, otherwise: str
) -> None:
    folder = make_group(tmp_path / "runyard-n", without=without)
    wanted = spec(tmp_path, memory_bytes=1 << 30, max_processes=60, cpu_milli=1000)
    held = _hold.limit(_hold.own_group(wanted), wanted)
    assert held[limit] == otherwise
    assert held["tree"] == "cgroup"
    assert not list(folder.glob(f"{without}.*")), "a file was made where the kernel makes them"


def test_no_limit_is_none(tmp_path: Path) -> None:
    make_group(tmp_path / "runyard-n")
    held = _hold.limit(_hold.own_group(spec(tmp_path)), spec(tmp_path))
    assert (held["processes"], held["memory"]) == ("none", "poll")


@pytest.mark.parametrize(
    ("milli", "weight"), [(10, "1"), (1000, "10"), (16_000, "160"), (5_000_000, "10000")]
)
def test_a_weight_stays_within_what_the_kernel_takes(tmp_path: Path, milli: int, weight: str) -> None:
    folder = make_group(tmp_path / "runyard-n")
    _hold.limit(ControlGroup(str(folder)), spec(tmp_path, cpu_milli=milli))
    assert (folder / "cpu.weight").read_text() == weight


class Tree:
    """A tree that has ended, with a group."""

    def __init__(self, group: ControlGroup, signal: int | None, exit_code: int | None = None) -> None:
        self.signal, self.exit_code = signal, exit_code
        self.has_passed_its_memory = group.has_passed_its_limit


@pytest.mark.parametrize(
    ("oom", "killed", "signal", "is_own_limit"),
    [(0, 0, 9, False), (1, 1, 9, True), (0, 1, 9, False), (3, 0, 9, False), (1, 1, None, False)],
)
def test_only_a_kill_for_its_own_limit_is_its_own_limit(
    tmp_path: Path, oom: int, killed: int, signal: int | None, is_own_limit: bool
) -> None:
    events = {"memory.events": f"low 0\nmax 7\noom {oom}\noom_kill {killed}\noom_group_kill 1\n"}
    group = ControlGroup(str(make_group(tmp_path / "runyard-n", **events)))
    tree: Any = Tree(group, signal, exit_code=None if signal else 0)
    stop = passed_its_memory(spec(tmp_path, memory_bytes=4 << 30), tree)
    assert (stop is not None) == is_own_limit
    assert group.kills() == killed
    if stop is not None:
        assert (stop.reason, stop.ended_by) == ("memory_limit", "memory")
        assert stop.detail == "reached its limit of 4 GiB; killed"


def test_freezing_and_killing_are_one_word_each(tmp_path: Path) -> None:
    folder = make_group(tmp_path / "runyard-n")
    group = ControlGroup(str(folder))
    assert group.freeze(True)
    assert (folder / "cgroup.freeze").read_text() == "1"
    assert group.freeze(False)
    assert (folder / "cgroup.freeze").read_text() == "0"
    assert group.kill()
    assert (folder / "cgroup.kill").read_text() == "1"
    assert group.peak_bytes() == 100 << 20


def test_a_kernel_without_kill_and_peak_says_so(tmp_path: Path) -> None:
    folder = make_group(tmp_path / "runyard-n")
    (folder / "cgroup.kill").unlink()
    (folder / "memory.peak").unlink()
    group = ControlGroup(str(folder))
    assert not group.kill()
    assert group.peak_bytes() is None


def test_a_group_that_is_gone_is_removed_already(tmp_path: Path) -> None:
    assert ControlGroup(str(tmp_path / "gone")).remove()
