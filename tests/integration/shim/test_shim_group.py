"""With a control group of the kernel's own: entered before the module starts, ended as a whole, removed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from runyard_actors.attempt_file import COOKIE
from runyard_cluster import process
from runyard_cluster.delegation import writable_groups
from tests.integration.shim.conftest import Attempt
from tests.support import python, wait_until

Start = Callable[..., Attempt]
PARENT = next(writable_groups(), None)
pytestmark = pytest.mark.skipif(PARENT is None, reason="no control group of version 2 may be made here")


def enabled(controller: str) -> bool:
    return PARENT is not None and controller in (PARENT / "cgroup.subtree_control").read_text().split()


def group_of(attempt: Attempt) -> Path:
    child = attempt.folder.child()
    assert child is not None
    return Path(child["cgroup"])


def members(group: Path) -> set[int]:
    return set(map(int, (group / "cgroup.procs").read_text().split()))


def test_the_whole_tree_is_in_the_group_and_the_group_is_gone_afterwards(start: Start) -> None:
    attempt = start(["sh", "-c", "setsid sleep 60 & sleep 60; true"], cgroup=str(PARENT))
    group = group_of(attempt)
    # A process that is just becoming another program shows no cookie.
    wait_until(
        lambda: len(members(group)) == 3 and members(group) == set(attempt.processes()), 10, "all of them"
    )
    assert (attempt.folder.child() or {})["enforcement"]["tree"] == "cgroup"
    attempt.folder.request_stop("cancelled_by_user", "x")
    attempt.end()
    assert not group.exists()


def test_a_module_that_cannot_start_leaves_no_group(start: Start) -> None:
    attempt = start(["no-such-program-anywhere"], cgroup=str(PARENT))
    assert attempt.end()["reason"] == "start_error"
    assert not list(Path(str(PARENT)).glob(f"runyard-{attempt.nonce}"))


def test_groups_that_the_module_made_are_removed_too(start: Start) -> None:
    code = "cd $(dirname $(find /sys/fs/cgroup -path '*runyard-'$RUNYARD_NONCE/cgroup.procs)) && mkdir a a/b"
    attempt = start(["sh", "-c", f"{code} && sleep 0.3"], cgroup=str(PARENT))
    assert attempt.end()["exit_code"] == 0, attempt.log()
    assert not group_of(attempt).exists()


@pytest.mark.parametrize("parent", ["/nonexistent", "/proc", "/tmp"])
def test_where_no_group_can_be_made_the_run_starts_without(start: Start, parent: str) -> None:
    attempt = start(["true"], cgroup=parent)
    assert attempt.end()["exit_code"] == 0
    child = attempt.folder.child() or {}
    assert (child["cgroup"], child["enforcement"]["tree"]) == ("", "subreaper")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can move out of its group")
def test_what_moves_out_of_its_group_is_ended_all_the_same(start: Start) -> None:
    code = f"echo $$ > {PARENT}/cgroup.procs; exec sleep 60"
    attempt = start(["sh", "-c", f"sh -c '{code}' & sleep 60"], cgroup=str(PARENT))
    wait_until(lambda: len(members(group_of(attempt))) == 2, 10, "the move")
    attempt.folder.request_stop("cancelled_by_user", "x")
    attempt.end()
    assert attempt.processes() == []


def test_a_bomb_in_a_group_dies_at_once(start: Start) -> None:
    bomb = (
        "import os, time\nprint('lit', flush=True)\n"
        "for _ in range(7): os.fork() or os.setsid()\nwhile True: time.sleep(0.05)"
    )
    attempt = start(python(bomb), cgroup=str(PARENT), max_processes=60)
    if not enabled("pids"):
        assert attempt.end(limit=20)["ended_by"] == "processes"
    else:
        attempt.wait_log(b"lit")
        assert len(members(group_of(attempt))) <= 60
        attempt.folder.request_stop("cancelled_by_user", "x", grace_seconds=0)
        attempt.end(limit=20)
    assert attempt.processes() == []


@pytest.mark.skipif(not enabled("memory"), reason="the kernel's version 2 does not hold memory here")
def test_the_kernel_holds_the_memory_and_the_reason_is_the_runs_own_limit(start: Start) -> None:
    code = "held = []\nwhile True: held.append(b'x' * 8_000_000)"
    record = start(python(code), cgroup=str(PARENT), memory_bytes=100 << 20).end(limit=20)
    assert (record["reason"], record["ended_by"], record["signal"]) == ("memory_limit", "memory", 9)
    assert record["reason_detail"] == "reached its limit of 100 MiB; killed"
    assert record["peak_memory"] <= 101 << 20


def test_a_daemon_without_its_cookie_dies_with_its_shim(start: Start) -> None:
    attempt = start(["sh", "-c", "env -i setsid -f /bin/sleep 61; sleep 60"], cgroup=str(PARENT))
    group = group_of(attempt)
    wait_until(lambda: len((group / "cgroup.procs").read_text().split()) == 3, 10, "the daemon")
    os.kill(int(attempt.report.shim_pid or 0), signal.SIGKILL)
    wait_until(lambda: not attempt.folder.is_alive(), 10, "the shim's end")
    assert process.sweep(COOKIE, attempt.nonce, limit_seconds=10, group=str(group)) == []
    assert not group.exists()
