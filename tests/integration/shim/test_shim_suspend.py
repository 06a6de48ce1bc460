"""Held still and let go on: the whole tree, its time, its cancel, and what becomes of it when its shim dies."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runyard_actors.attempt_file import COOKIE
from runyard_cluster import process
from runyard_cluster.delegation import writable_groups
from runyard_cluster.files import durable_replace
from tests.integration.shim.conftest import Attempt
from tests.support import python, wait_until

Start = Callable[..., Attempt]
GROUP = str(next(writable_groups(), ""))
WAYS = [
    pytest.param({}, id="signals"),
    pytest.param(
        {"cgroup": GROUP}, id="control group", marks=pytest.mark.skipif(not GROUP, reason="none here")
    ),
]
COUNTING = "import time\ni = 0\nwhile True:\n  i += 1; print(i, flush=True); time.sleep(0.01)"


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> dict[str, str]:
    """How a tree is held still: as this system does it without a control group, and with one."""
    found: dict[str, str] = request.param
    return found


def is_still(attempt: Attempt) -> bool:
    before = attempt.folder.log_size()
    time.sleep(0.15)
    return attempt.folder.log_size() == before


def suspend(attempt: Attempt) -> None:
    attempt.folder.request_suspend()
    wait_until(lambda: attempt.folder.suspended_at() is not None, 10, "the suspension")


def resume(attempt: Attempt) -> None:
    attempt.folder.request_resume()
    wait_until(lambda: attempt.folder.suspended_at() is None, 10, "the resumption")


def test_a_suspended_tree_stands_still_and_goes_on(start: Start, way: dict[str, str]) -> None:
    attempt = start(
        ["sh", "-c", '"$0" -I -S -c "$1" & setsid "$0" -I -S -c "$1"', sys.executable, COUNTING], **way
    )
    attempt.wait_log(b"20")
    suspend(attempt)
    assert is_still(attempt)
    assert is_still(attempt)
    resume(attempt)
    size = attempt.folder.log_size()
    wait_until(lambda: attempt.folder.log_size() > size + 20, 10, "more output")
    attempt.folder.request_stop("cancelled_by_user", "x")
    record = attempt.end()
    assert record["suspended_seconds"] > 0.2


def test_the_files_alone_are_enough(start: Start, way: dict[str, str]) -> None:
    attempt = start(python(COUNTING), **way)
    attempt.wait_log(b"20")
    durable_replace(attempt.folder.suspend_file, b"{}")
    wait_until(lambda: attempt.folder.suspended_at() is not None, 10, "the suspension")
    assert is_still(attempt)
    attempt.folder.suspend_file.unlink()
    wait_until(lambda: attempt.folder.suspended_at() is None, 10, "the resumption")
    attempt.folder.request_stop("cancelled_by_user", "x")
    attempt.end()


def test_suspended_time_is_no_running_time(start: Start, way: dict[str, str]) -> None:
    attempt = start(["sleep", "60"], timeout_seconds=1.5, **way)
    suspend(attempt)
    suspended = time.monotonic()
    wait_until(lambda: time.monotonic() > suspended + 2.5, 5, "more time than the run has")
    assert attempt.folder.is_alive()
    resume(attempt)
    record = attempt.end(limit=10)
    assert record["reason"] == "timeout"
    assert record["ended_at"] - record["started_at"] > 3_900_000
    assert record["reason_detail"].startswith("ran 1.5 s, limit 1.5 s")


def test_what_forks_without_end_is_held_still_too(start: Start, way: dict[str, str]) -> None:
    chain = "import os\nwhile True:\n  if os.fork(): os._exit(0)\n  print('.', end='', flush=True)"
    attempt = start(["sh", "-c", '"$0" -I -S -c "$1" & sleep 60', sys.executable, chain], **way)
    attempt.wait_log(b"...")
    suspend(attempt)
    wait_until(lambda: is_still(attempt), 10, "the chain standing still")
    attempt.folder.request_stop("cancelled_by_user", "x", grace_seconds=0)
    attempt.end(limit=10)
    assert attempt.processes() == []


def test_a_suspended_run_hears_of_its_cancel(start: Start, way: dict[str, str]) -> None:
    trap = "trap 'echo tidy; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    attempt = start(["sh", "-c", trap], grace_seconds=20, **way)
    attempt.wait_log(b"ready")
    suspend(attempt)
    attempt.folder.request_stop("cancelled_by_user", "x")
    record = attempt.end(limit=10)
    assert attempt.log().endswith(b"tidy\n")
    assert record["reason"] == "cancelled_by_user"
    assert attempt.folder.suspended_at() is None


def test_a_suspended_run_that_ignores_term_is_killed(start: Start, way: dict[str, str]) -> None:
    attempt = start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"], **way)
    attempt.wait_log(b"ready")
    suspend(attempt)
    attempt.folder.request_stop("cancelled_by_user", "x")
    assert attempt.end(limit=10)["signal"] == signal.SIGKILL


def test_suspending_twice_and_resuming_twice_is_no_error(start: Start, way: dict[str, str]) -> None:
    attempt = start(["sleep", "60"], **way)
    suspend(attempt)
    first = attempt.folder.suspended_at()
    suspend(attempt)
    assert attempt.folder.suspended_at() == first
    resume(attempt)
    resume(attempt)
    attempt.folder.request_stop("cancelled_by_user", "x")
    attempt.end(limit=10)


def test_a_main_process_killed_while_suspended_ends_the_run(start: Start, way: dict[str, str]) -> None:
    attempt = start(["sh", "-c", "sleep 60 & sleep 60; true"], **way)
    suspend(attempt)
    os.kill(int(attempt.report.pid or 0), signal.SIGKILL)
    record = attempt.end(limit=10)
    assert (record["reason"], record["signal"]) == ("signal", signal.SIGKILL)
    assert attempt.processes() == []


def test_a_tree_does_not_outlive_the_shim_that_held_it_still(start: Start, way: dict[str, str]) -> None:
    """Its main process dies with the shim, by the kernel's hand; the rest by whoever finds the lock free."""
    attempt = start(["sh", "-c", "sleep 60 & setsid sleep 60 & sleep 60; true"], **way)
    wait_until(lambda: len(attempt.processes()) == 4, 10, "all processes")
    suspend(attempt)
    child = attempt.folder.child() or {}
    os.kill(int(attempt.report.shim_pid or 0), signal.SIGKILL)
    wait_until(lambda: not attempt.folder.is_alive(), 10, "the shim's end")
    left = process.sweep(COOKIE, attempt.nonce, limit_seconds=10, group=child["cgroup"])
    assert left == attempt.processes() == []
    assert not child["cgroup"] or not Path(child["cgroup"]).exists()
