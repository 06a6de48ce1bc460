"""Where runs may have control groups: trees as systemd, containers and old systems have them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from runyard_cluster.delegation import delegated_group, writable_groups

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="control groups are Linux's")
ALL = "cpuset cpu io memory hugetlb pids"


def group(root: Path, path: str, *, enabled: str = "", available: str = ALL, mount: str = "") -> Path:
    folder = root / "sys/fs/cgroup" / mount / path
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.controllers").write_text(available + "\n")
    (folder / "cgroup.subtree_control").write_text(enabled + "\n")
    (folder / "cgroup.procs").write_text("")
    return folder


def own(root: Path, path: str) -> None:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"12:pids:/x\n0::{path}\n")


def test_the_nearest_group_that_limits_memory_is_taken(tmp_path: Path) -> None:
    group(tmp_path, "", enabled="memory pids")
    slice_ = group(tmp_path, "app.slice", enabled="cpu memory pids")
    service = group(tmp_path, "app.slice/runyard.service")
    (service / "cgroup.subtree_control").chmod(0o444)
    (service / "cgroup.controllers").write_text("")
    own(tmp_path, "/app.slice/runyard.service")
    assert delegated_group(tmp_path) == slice_


def test_a_service_that_may_has_its_own_group_enabled(tmp_path: Path) -> None:
    """The files here take every word; the kernel takes them one by one and refuses what it does not have."""
    group(tmp_path, "")
    unit = group(tmp_path, "runyard.service", enabled="memory")
    group(tmp_path, "runyard.service/server", available="")
    own(tmp_path, "/runyard.service/server")
    assert delegated_group(tmp_path) == unit
    assert (unit / "cgroup.subtree_control").read_text() == "+cpu"


def test_a_group_that_does_not_limit_memory_is_not_worth_its_cost(tmp_path: Path) -> None:
    group(tmp_path, "", available="hugetlb", mount="unified")
    nearest = group(tmp_path, "one", available="", mount="unified")
    own(tmp_path, "/one")
    assert delegated_group(tmp_path) is None
    assert next(writable_groups(tmp_path)) == nearest


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() == 0, reason="root may write everything")
def test_what_may_not_be_written_is_no_place(tmp_path: Path) -> None:
    group(tmp_path, "").chmod(0o555)
    own(tmp_path, "/")
    assert delegated_group(tmp_path) is None


def test_what_is_above_a_group_that_is_not_ours_is_not_looked_at(tmp_path: Path) -> None:
    group(tmp_path, "", enabled="memory pids cpu")
    (group(tmp_path, "session.scope", available="") / "cgroup.procs").unlink()
    own(tmp_path, "/session.scope")
    assert delegated_group(tmp_path) is None


@pytest.mark.parametrize("path", ["/../outside", ""])
def test_a_group_outside_of_what_can_be_seen_is_no_place(tmp_path: Path, path: str) -> None:
    group(tmp_path, "", enabled="memory")
    own(tmp_path, path)
    assert delegated_group(tmp_path) in (None, tmp_path / "sys/fs/cgroup")
    assert not (tmp_path / "sys/fs/outside").exists()


def test_the_older_version_alone_has_no_place(tmp_path: Path) -> None:
    (tmp_path / "sys/fs/cgroup/memory").mkdir(parents=True)
    own(tmp_path, "/")
    assert delegated_group(tmp_path) is None


def test_other_systems_have_no_place(tmp_path: Path) -> None:
    assert delegated_group(tmp_path) is None
