"""Starting: at most once, whatever dies; a child of nobody; nothing of the launching process passed on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runyard_actors.shim.launch import BOOT, IMPORT_ROOTS, LaunchReport, launch
from runyard_cluster import process
from tests.integration.shim.conftest import Attempt
from tests.support import wait_until

Make = Callable[..., Attempt]
COUNTED = ["sh", "-c", "echo started >> starts; sleep 0.3"]


def starts(attempt: Attempt) -> int:
    file = attempt.folder.path / "starts"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_an_attempt_starts_once_however_many_shims_there_are(make: Make) -> None:
    attempt = make(COUNTED)
    with ThreadPoolExecutor(6) as pool:
        reports = list(pool.map(lambda _: launch(attempt.folder), range(6)))
    attempt.end()
    assert sorted(r.event for r in reports) == ["refused"] * 5 + ["started"]
    assert starts(attempt) == 1


def test_an_ended_attempt_does_not_start_again(make: Make) -> None:
    attempt = make(COUNTED)
    attempt.launch()
    record = attempt.end()
    attempt.write_spec(COUNTED)
    assert attempt.launch() == LaunchReport(event="refused", why="claimed")
    attempt.end()
    assert starts(attempt) == 1
    assert attempt.folder.exit() == record
    assert not attempt.folder.spec_file.exists()


def test_a_held_attempt_is_refused(make: Make) -> None:
    attempt = make(["sleep", "60"])
    attempt.launch()
    assert launch(attempt.folder) == LaunchReport(event="refused", why="locked")
    attempt.folder.request_stop("cancelled_by_user", "x")
    attempt.end()


def test_a_cancel_before_the_start_wins(make: Make) -> None:
    attempt = make(COUNTED)
    assert attempt.folder.never_start("cancelled_by_user", "before it started")
    assert attempt.launch() == LaunchReport(event="refused", why="claimed")
    assert starts(attempt) == 0
    assert attempt.folder.started()["never_starts"]["reason"] == "cancelled_by_user"  # type: ignore[index]
    assert not attempt.folder.spec_file.exists(), "the environment is still on the disk"


def test_a_cancel_after_the_start_comes_too_late_to_prevent_it(make: Make) -> None:
    attempt = make(COUNTED)
    attempt.launch()
    assert not attempt.folder.never_start("cancelled_by_user", "too late")
    assert attempt.end()["exit_code"] == 0


def test_somebody_looking_at_the_lock_does_not_prevent_a_start(make: Make) -> None:
    attempt = make(["true"])
    attempt.folder.record_file.touch()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            attempt.folder.is_alive()

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        assert attempt.launch().event == "started"
    finally:
        stop.set()
        for looker in lookers:
            looker.join()
    attempt.end()


def test_waiting_for_the_end_ends_with_the_shim(make: Make) -> None:
    attempt = make(["sh", "-c", "while [ ! -e go ]; do sleep 0.02; done; exit 7"])
    attempt.launch()
    waiter = threading.Thread(target=attempt.folder.wait_end)
    waiter.start()
    assert attempt.folder.is_alive()
    (attempt.folder.path / "go").touch()
    waiter.join(20)
    assert not waiter.is_alive()
    assert attempt.folder.exit()["exit_code"] == 7  # type: ignore[index]


@pytest.mark.parametrize("command", ["true", "sleep 0.2"])
def test_the_start_is_told_before_the_end_however_short_the_run(make: Make, command: str) -> None:
    attempt = make(command.split())
    shim = subprocess.run(
        [sys.executable, "-I", "-S", "-c", BOOT, *IMPORT_ROOTS],
        cwd=attempt.folder.path,
        capture_output=True,
        check=True,
    )
    start, end = [json.loads(line) for line in shim.stdout.splitlines()]
    assert (start["event"], end["event"]) == ("started", "ended")
    child = attempt.folder.child() or {}
    # One that was still there when it was noted can be told from others of its number.
    child.pop("start", None)
    assert child == {"pid": start["pid"], "enforcement": start["enforcement"], "cgroup": ""}
    assert attempt.folder.exit() == end["exit"]


def test_the_records_name_the_processes(make: Make) -> None:
    attempt = make(["sleep", "60"])
    report = attempt.launch()
    started, child = attempt.folder.started(), attempt.folder.child()
    assert started is not None
    assert child is not None
    assert (started["shim_pid"], child["pid"]) == (report.shim_pid, report.pid)
    assert process.is_same_process(started["shim_pid"], started["shim_start"])
    assert process.is_same_process(child["pid"], child["start"])
    assert started["boot_id"] == process.boot_id()
    assert child["enforcement"] == {
        "memory": "poll",
        "cpu": "nice",
        "gpu_memory": "none",
        "tree": "subreaper" if sys.platform == "linux" else "cookie",
        "processes": "none",
    }
    assert not attempt.folder.spec_file.exists(), "the environment is still on the disk"
    attempt.folder.request_stop("cancelled_by_user", "x")
    attempt.end()


WORKER = """
import os, signal, sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from runyard_actors.run_folder import RunFolder
from runyard_actors.shim.launch import launch
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM, signal.SIGCHLD])
signal.signal(signal.SIGQUIT, signal.SIG_IGN)
os.umask(0o077)
Path("/proc/self/oom_score_adj").write_text("500")
os.set_inheritable(os.open("/dev/null", os.O_RDONLY), True)
print(launch(RunFolder(Path(sys.argv[1]))).event, flush=True)
sys.stdin.read()
"""


def worker(attempt: Attempt) -> subprocess.Popen[bytes]:
    """Launch an attempt from a process of its own, in the state that Ray leaves its workers in."""
    command = [sys.executable, "-c", WORKER, str(attempt.folder.path), *IMPORT_ROOTS]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert started.stdout is not None
    assert started.stdout.readline() == b"started\n"
    return started


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_a_worker_passes_on_is_undone(make: Make) -> None:
    report = "cat /proc/self/status /proc/self/oom_score_adj; umask; ls /proc/self/fd; tty"
    attempt = make(["sh", "-c", report])
    with worker(attempt) as launcher:
        attempt.end()
        launcher.kill()
    lines = attempt.log().decode().splitlines()
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert int(fields["SigBlk"], 16) == int(fields["SigIgn"], 16) == 0
    assert lines[-7:] == ["0", "0022", "0", "1", "2", "3", "not a tty"], "3 is ls's own"


def test_a_run_outlives_whoever_launched_it(make: Make) -> None:
    attempt = make(["sh", "-c", "while [ ! -e go ]; do sleep 0.02; done; exit 6"])
    with worker(attempt) as launcher:
        os.killpg(launcher.pid, signal.SIGKILL)
    child = attempt.folder.child()
    assert child is not None
    assert os.getsid(child["pid"]) == child["pid"]
    assert attempt.folder.is_alive()
    (attempt.folder.path / "go").touch()
    assert attempt.end()["exit_code"] == 6


def test_a_missing_folder_is_told_and_nothing_hangs(make: Make, tmp_path: Path) -> None:
    attempt = make()
    attempt.folder.path.rmdir()
    with pytest.raises(FileNotFoundError):
        attempt.launch()


def test_a_shim_without_a_spec_ends_with_a_record(make: Make) -> None:
    attempt = make()
    assert attempt.launch().event == "start_error"
    record = attempt.end()
    assert (record["reason"], record["ended_by"]) == ("supervisor_lost", "supervisor")
    assert "spec.json" in record["reason_detail"]


def test_the_environment_is_exactly_the_given_one(make: Make) -> None:
    attempt = make(["env"], env={"ONE": "1"})
    attempt.launch()
    attempt.end()
    seen = dict(line.split("=", 1) for line in attempt.log().decode().splitlines() if "=" in line)
    assert seen["ONE"] == "1"
    assert set(seen) - set(os.environ) <= {"ONE", "RUNYARD_NONCE", "_"}


def test_a_program_is_found_by_the_modules_own_path(make: Make, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "mine"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    attempt = make(["mine"], env={"PATH": f"/nowhere:{program.parent}"})
    attempt.launch()
    assert attempt.end()["exit_code"] == 9


def test_waiting_returns_at_once_for_what_never_was(make: Make) -> None:
    attempt = make()
    attempt.folder.wait_end()
    assert not attempt.folder.is_alive()
    wait_until(lambda: attempt.folder.exit() is None, 1)
