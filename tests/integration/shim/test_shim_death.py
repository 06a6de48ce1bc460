"""A shim that dies, fails or finds the disk full: never two starts, nothing left running, a true record."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runyard_actors.attempt_file import COOKIE
from runyard_actors.shim.launch import IMPORT_ROOTS
from runyard_cluster import process
from tests.integration.shim.conftest import Attempt
from tests.support import wait_until

Make = Callable[..., Attempt]
COUNTED = ["sh", "-c", "echo started >> starts; setsid -f sleep 60; sleep 0.2"]


def starts(attempt: Attempt) -> int:
    file = attempt.folder.path / "starts"
    return len(file.read_text().splitlines()) if file.exists() else 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a parent's death kill")
def test_a_killed_shim_takes_its_main_process_along(make: Make) -> None:
    attempt = make(["sh", "-c", "setsid -f sleep 60; echo ready; exec sleep 60"])
    report = attempt.launch()
    attempt.wait_log(b"ready")
    os.kill(int(report.shim_pid or 0), signal.SIGKILL)
    wait_until(lambda: not attempt.folder.is_alive(), 5, "the shim's end")
    wait_until(lambda: report.pid not in attempt.processes(), 5, "the main process's end")
    assert attempt.folder.exit() is None
    # What it left has no supervisor, and is found by its cookie.
    wait_until(
        lambda: len(attempt.processes()) == 1,
        5,
        "what it left, which shows no cookie while it becomes `sleep`",
    )
    assert process.sweep(COOKIE, attempt.nonce, limit_seconds=5) == []
    assert attempt.processes() == []


@pytest.mark.parametrize(
    "point",
    ["locked", "claimed", "spawned", "child_written", "main_ended", "before_exit", "after_exit"],
)
def test_killed_anywhere_it_is_never_started_twice(
    make: Make, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    attempt = make(COUNTED)
    monkeypatch.setenv("RUNYARD_FAIL", f"shim.{point}:kill")
    attempt.launch()
    wait_until(lambda: not attempt.folder.is_alive(), 10, "the shim's end")
    process.sweep(COOKIE, attempt.nonce, limit_seconds=5)

    monkeypatch.delenv("RUNYARD_FAIL")
    is_claimed = attempt.folder.started() is not None
    assert is_claimed == (point != "locked")
    assert (attempt.folder.exit() is not None) == (point == "after_exit")

    attempt.write_spec(COUNTED)
    assert attempt.launch().event == ("refused" if is_claimed else "started")
    wait_until(lambda: not attempt.folder.is_alive(), 10, "the second shim's end")
    assert starts(attempt) <= 1


@pytest.mark.parametrize("point", ["claimed", "spawned", "child_written", "main_ended", "before_exit"])
def test_a_failing_shim_ends_its_run_and_says_why(
    make: Make, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    attempt = make(COUNTED)
    monkeypatch.setenv("RUNYARD_FAIL", f"shim.{point}:raise")
    attempt.launch()
    record = attempt.end()
    assert (record["reason"], record["ended_by"]) == ("supervisor_lost", "supervisor")
    assert f"FailpointError: shim.{point}" in record["reason_detail"]
    assert attempt.processes() == []
    assert f"shim.{point}" in attempt.trouble()


def test_nothing_is_claimed_where_the_folder_cannot_be_written(make: Make) -> None:
    attempt = make(["true"])
    attempt.folder.record_file.mkdir()
    report = attempt.launch()
    assert report.event == "start_error"
    assert "the run's folder cannot be used" in str(report.why)
    assert attempt.folder.started() is None


FULL = """
import ctypes, os, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from runyard_actors.run_folder import RunFolder
from runyard_actors.shim.launch import launch
from runyard_actors.shim.spec import ShimSpec
disk = sys.argv[1]
assert ctypes.CDLL(None).mount(b"tmpfs", disk.encode(), b"tmpfs", 0, b"size=256k") == 0
folder = RunFolder.of(Path(disk), "run", 1)
folder.create()
fill = "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >fill; echo x >more || exit 3"
folder.write_spec(ShimSpec(run_id="r", attempt=1, nonce="n", command=["sh", "-c", fill], cwd=str(folder.path),
                           env=dict(os.environ), timeout_seconds=20).to_json())
launch(folder)
folder.wait_end()
print(folder.exit())
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_a_full_disk_does_not_keep_a_run_from_telling_its_end(tmp_path: Path) -> None:
    command = ["unshare", "-Urm", sys.executable, "-c", FULL, str(tmp_path), *IMPORT_ROOTS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if "Operation not permitted" in done.stderr:
        pytest.skip("no user namespaces here")
    assert "'exit_code': 3" in done.stdout, done.stdout + done.stderr
    assert "'reason': 'exit_code'" in done.stdout
