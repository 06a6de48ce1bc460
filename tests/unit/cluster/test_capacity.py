"""A machine offers what its container allows it, less the reserve; automatic requests let all slots fit."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard_cluster.capacity import (
    LEAST_MEMORY,
    MIB,
    Capacity,
    auto_request,
    busy_cpu_seconds,
    gpu_warnings,
    read_capacity,
    read_use,
)
from runyard_cluster.cgroup import Cgroup

GIB = 2**30
NEVER = "9223372036854771712"


def machine(root: Path, membership: str, files: dict[str, str]) -> Cgroup:
    """Lay out the system's files: which groups we are in, and what stands in each."""
    for name, text in {"proc/self/cgroup": membership, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Cgroup(root)


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    cgroup = Cgroup(tmp_path)
    assert (cgroup.cpu_limit_milli(), cgroup.memory_limit(), cgroup.memory_free()) == (None, None, None)


def test_a_container_s_own_group_is_the_limit(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/memory.max": f"{GIB}\n",
        "sys/fs/cgroup/memory.current": f"{600 * MIB}\n",
        "sys/fs/cgroup/memory.stat": f"anon 5\ninactive_file {100 * MIB}\n",
    }
    cgroup = machine(tmp_path, "0::/\n", files)
    assert (cgroup.cpu_limit_milli(), cgroup.memory_limit()) == (1500, GIB)
    assert cgroup.memory_free() == 524 * MIB


def test_the_tightest_group_above_us_is_the_limit(tmp_path: Path) -> None:
    above = "sys/fs/cgroup/user.slice"
    files = {
        "sys/fs/cgroup/cpu.max": "max 100000",
        f"{above}/cpu.max": "200000 100000",
        f"{above}/memory.max": str(2 * GIB),
        f"{above}/memory.current": str(GIB),
        f"{above}/own.scope/cpu.max": "max 100000",
        f"{above}/own.scope/memory.max": "max",
        f"{above}/own.scope/memory.current": str(MIB),
    }
    cgroup = machine(tmp_path, "0::/user.slice/own.scope\n", files)
    assert (cgroup.cpu_limit_milli(), cgroup.memory_limit(), cgroup.memory_free()) == (2000, 2 * GIB, GIB)


def test_the_older_control_groups_are_read_as_well(tmp_path: Path) -> None:
    memory = "sys/fs/cgroup/memory"
    files = {
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/cpu/docker/cpu.cfs_quota_us": "50000",
        "sys/fs/cgroup/cpu/docker/cpu.cfs_period_us": "100000",
        f"{memory}/memory.limit_in_bytes": NEVER,
        f"{memory}/docker/memory.limit_in_bytes": str(GIB),
        f"{memory}/docker/memory.usage_in_bytes": str(GIB // 2),
        f"{memory}/docker/memory.stat": f"inactive_file 0\ntotal_inactive_file {GIB // 4}\n",
    }
    cgroup = machine(tmp_path, "4:memory:/docker\n1:cpu,cpuacct:/docker\n0::/\n", files)
    assert (cgroup.cpu_limit_milli(), cgroup.memory_limit()) == (500, GIB)
    assert cgroup.memory_free() == GIB * 3 // 4


@pytest.mark.parametrize("path", ["/../../gone", "/docker/not/mounted/here"])
def test_a_group_that_cannot_be_seen_from_here_leaves_what_can(tmp_path: Path, path: str) -> None:
    cgroup = machine(tmp_path, f"0::{path}\n", {"sys/fs/cgroup/memory.max": str(GIB)})
    assert cgroup.memory_limit() == GIB


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cpu.max", "0 100000"),
        ("cpu.max", "100 0"),
        ("cpu.max", "x y z"),
        ("cpu.max", ""),
        ("memory.max", "max"),
        ("memory.max", "-1"),
        ("memory.max", "\ufffd"),
    ],
)
def test_files_that_say_nothing_sensible_are_no_limit(tmp_path: Path, name: str, text: str) -> None:
    cgroup = machine(tmp_path, "0::/\nhalf a line\n", {f"sys/fs/cgroup/{name}": text})
    assert (cgroup.cpu_limit_milli(), cgroup.memory_limit()) == (None, None)


def test_capacity_is_what_the_container_allows_less_the_reserve(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/cpu.max": "50000 100000", "sys/fs/cgroup/memory.max": str(GIB)}
    capacity = read_capacity(GIB // 4, cgroup=machine(tmp_path, "0::/\n", files))
    assert (capacity.cpu_milli, capacity.memory_bytes) == (500, GIB * 3 // 4)


def test_a_limit_above_the_machine_is_none(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/cpu.max": "99900000 100000", "sys/fs/cgroup/memory.max": NEVER}
    capacity = read_capacity(0, cgroup=machine(tmp_path, "0::/\n", files))
    assert capacity.memory_bytes == psutil.virtual_memory().total
    assert capacity.cpu_milli <= (os.cpu_count() or 1) * 1000


def test_however_much_is_reserved_some_memory_is_offered() -> None:
    assert read_capacity(2**60).memory_bytes == LEAST_MEMORY


def test_this_machine_has_a_name_cpus_and_memory() -> None:
    capacity = read_capacity(0)
    assert capacity.node
    assert capacity.cpu_milli >= 10
    assert pickle.loads(pickle.dumps(capacity)) == capacity


def test_no_gpu_is_offered_where_the_user_hid_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert read_capacity(0).gpus == ()
    assert all(gpu_warnings())


def test_free_memory_is_within_the_container_and_the_cpu_within_a_hundred(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/memory.max": str(GIB), "sys/fs/cgroup/memory.current": str(GIB - MIB)}
    use = read_use(cgroup=machine(tmp_path, "0::/\n", files))
    assert use.memory_free_bytes == MIB
    assert 0 <= use.cpu_busy_percent <= 100
    assert 0 < read_use().memory_free_bytes <= psutil.virtual_memory().total
    assert busy_cpu_seconds() > 0


@pytest.mark.parametrize(
    ("cpus", "memory_gib", "slots", "expected"),
    [
        (64, 256, 10, (2000, 4 * GIB)),
        (2, 24, 10, (200, 24 * GIB // 10 // MIB * MIB)),
        (1, 1, 3, (330, 341 * MIB)),
        (2, 1, 100_000, (10, 16 * MIB)),
    ],
)
def test_an_automatic_request_is_two_cpus_and_four_gib_or_less(
    cpus: int, memory_gib: int, slots: int, expected: tuple[int, int]
) -> None:
    capacity = Capacity(node="n", cpu_milli=cpus * 1000, memory_bytes=memory_gib * GIB)
    assert auto_request(capacity, slots) == expected


@given(st.integers(1000, 10**6), st.integers(LEAST_MEMORY, 2**45), st.integers(1, 16))
def test_all_slots_of_automatic_requests_fit_at_once(cpu: int, memory: int, slots: int) -> None:
    cpu_each, memory_each = auto_request(Capacity(node="n", cpu_milli=cpu, memory_bytes=memory), slots)
    assert 0 < cpu_each * slots <= cpu
    assert 0 < memory_each * slots <= memory
    assert cpu_each % 10 == memory_each % MIB == 0
