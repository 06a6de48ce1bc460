"""Ending a run from outside: asked for, out of time, over its memory or its output."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runyard_cluster import process
from runyard_cluster.files import durable_replace
from tests.integration.shim.conftest import Attempt
from tests.support import python, wait_until

Start = Callable[..., Attempt]
STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.05; done"


def cancel(attempt: Attempt, **options: float) -> None:
    attempt.folder.request_stop("cancelled_by_user", "cancelled by a test", **options)  # type: ignore[arg-type]


def test_a_cancelled_run_may_tidy_up(start: Start) -> None:
    attempt = start(["sh", "-c", "trap 'echo tidy; exit 0' TERM; echo ready; while :; do sleep 0.05; done"])
    attempt.wait_log(b"ready")
    cancel(attempt)
    record = attempt.end()
    assert attempt.log().endswith(b"tidy\n")
    assert (record["exit_code"], record["reason"], record["ended_by"]) == (0, "cancelled_by_user", "user")
    assert record["reason_detail"] == "cancelled by a test"


def test_a_tree_that_ignores_term_is_dead_after_the_grace(start: Start) -> None:
    attempt = start(["sh", "-c", f'({STUBBORN}) & (setsid sh -c "{STUBBORN}") & {STUBBORN}'])
    wait_until(lambda: attempt.log().count(b"ready") == 3, 10, "three stubborn processes")
    asked = time.monotonic()
    cancel(attempt)
    record = attempt.end()
    assert 0.9 < time.monotonic() - asked < 3
    assert (record["signal"], record["reason"]) == (signal.SIGKILL, "cancelled_by_user")
    assert attempt.processes() == []


def test_children_have_the_grace_too_when_the_main_process_has_gone(start: Start) -> None:
    child = "trap 'sleep 0.5; echo saved; exit' TERM; echo ready; while :; do sleep 0.05; done"
    attempt = start(["sh", "-c", f'sh -c "{child}" & wait'], grace_seconds=10)
    attempt.wait_log(b"ready")
    cancel(attempt)
    attempt.end(limit=8)
    assert attempt.log().endswith(b"saved\n")


def test_a_stopped_process_hears_of_its_cancel(start: Start) -> None:
    attempt = start(
        ["sh", "-c", "trap 'echo heard; exit' TERM; echo ready; kill -STOP $$; sleep 60"], grace_seconds=20
    )
    attempt.wait_log(b"ready")
    wait_until(lambda: state(attempt.report.pid) == "T", 5, "the stop")
    cancel(attempt)
    attempt.end(limit=10)
    assert b"heard" in attempt.log()


def test_the_stop_file_alone_is_enough(start: Start) -> None:
    attempt = start(["sleep", "60"])
    durable_replace(attempt.folder.stop_file, b'{"reason": "batch_cancelled", "reason_detail": "x"}')
    assert attempt.end(limit=5)["reason"] == "batch_cancelled"


def test_no_grace_kills_at_once(start: Start) -> None:
    attempt = start(["sh", "-c", STUBBORN], grace_seconds=60)
    attempt.wait_log(b"ready")
    cancel(attempt, grace_seconds=0)
    assert attempt.end(limit=3)["signal"] == signal.SIGKILL


def test_asked_again_with_less_patience_it_hurries(start: Start) -> None:
    attempt = start(["sh", "-c", STUBBORN], grace_seconds=60)
    attempt.wait_log(b"ready")
    cancel(attempt)
    cancel(attempt)
    cancel(attempt, grace_seconds=0)
    assert attempt.end(limit=3)["reason"] == "cancelled_by_user"


def test_a_signal_without_a_request_ends_nothing(start: Start) -> None:
    attempt = start(["sh", "-c", "while [ ! -e go ]; do sleep 0.02; done"])
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        os.kill(int(attempt.report.shim_pid or 0), number)
    (attempt.folder.path / "go").touch()
    assert attempt.end()["exit_code"] == 0


def test_a_stop_that_comes_with_the_start_is_heard(make: Callable[..., Attempt]) -> None:
    attempt = make(["sleep", "60"])
    cancel(attempt)
    attempt.launch()
    assert attempt.end(limit=5)["reason"] == "cancelled_by_user"


def test_a_timeout_ends_the_run(start: Start) -> None:
    record = start(["sleep", "60"], timeout_seconds=0.5).end(limit=5)
    assert (record["reason"], record["ended_by"]) == ("timeout", "timeout")
    assert record["reason_detail"] == "ran 0.5 s, limit 0.5 s; stopped"
    assert 500_000 <= record["ended_at"] - record["started_at"] < 1_500_000


def test_a_run_over_its_memory_limit_is_killed(start: Start) -> None:
    code = "import time\nheld = []\nwhile True: held.append(b'x' * 4_000_000); time.sleep(0.01)"
    record = start(python(code), memory_bytes=100 << 20, grace_seconds=60).end(limit=10)
    assert (record["reason"], record["ended_by"], record["signal"]) == (
        "memory_limit",
        "memory",
        signal.SIGKILL,
    )
    assert record["reason_detail"].endswith("MiB, limit 100 MiB; killed")
    assert 100 << 20 < record["peak_memory"] < 200 << 20


def test_the_memory_limit_is_for_the_whole_tree(start: Start) -> None:
    code = "import time; x = b'x' * 60_000_000; time.sleep(60)"
    command = ["sh", "-c", '"$0" -I -S -c "$1" & "$0" -I -S -c "$1"', sys.executable, code]
    assert start(command, memory_bytes=100 << 20).end(limit=10)["reason"] == "memory_limit"


@pytest.mark.parametrize(
    "code",
    [
        "import os, time\nx = b'x' * 60_000_000\nfor _ in range(3):\n  if not os.fork(): break\ntime.sleep(1)",
        "import mmap, time\nf = open('big', 'w+b'); f.truncate(200_000_000)\n"
        "m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)\nn = sum(m[::4096])\ntime.sleep(1)",
    ],
    ids=["pages shared after a fork", "pages of a file"],
)
def test_what_a_tree_does_not_hold_for_itself_does_not_count(start: Start, code: str) -> None:
    record = start(python(code), memory_bytes=120 << 20).end()
    assert record["exit_code"] == 0, record
    assert record["peak_memory"] > 120 << 20


@pytest.mark.parametrize("step", ["", "os.setsid()"], ids=["in one group", "in groups of their own"])
def test_a_tree_that_forks_faster_than_it_is_listed_dies(start: Start, step: str) -> None:
    chain = (
        f"import os\nprint('ready', flush=True)\nwhile True:\n  if os.fork(): os._exit(0)\n  {step or 'pass'}"
    )
    attempt = start(["sh", "-c", '"$0" -I -S -c "$1" & sleep 60', sys.executable, chain])
    attempt.wait_log(b"ready")
    cancel(attempt, grace_seconds=0)
    attempt.end(limit=10)
    assert attempt.processes() == []


def test_a_fork_bomb_dies(start: Start) -> None:
    bomb = "import os, time\nprint('ready', flush=True)\nfor _ in range(7): os.fork()\nwhile True: time.sleep(0.01)"
    attempt = start(python(bomb))
    wait_until(lambda: len(attempt.processes()) > 100, 20, "the bomb")
    cancel(attempt, grace_seconds=0)
    attempt.end(limit=20)
    assert attempt.processes() == []


def test_a_process_of_the_same_number_is_not_signalled() -> None:
    with open(os.devnull) as nothing:
        import subprocess

        with subprocess.Popen(["sleep", "60"], stdin=nothing) as stranger:
            start = process.process_start_time(stranger.pid)
            assert start is not None
            assert not process.stop_process(stranger.pid, start + 1)
            assert stranger.poll() is None
            assert process.stop_process(stranger.pid, start)
            assert stranger.wait(10) == -signal.SIGTERM


def state(pid: int | None) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
