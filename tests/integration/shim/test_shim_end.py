"""How a run ended: code, signal and who ended it are separate facts; what cannot start says why."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.shim.conftest import Attempt
from tests.support import python, wait_until

Start = Callable[..., Attempt]


def test_a_good_end_has_no_reason(start: Start) -> None:
    attempt = start(["true"])
    assert attempt.report.event == "started"
    record = attempt.end()
    assert (record["exit_code"], record["signal"], record["reason"], record["ended_by"]) == (
        0,
        None,
        None,
        "self",
    )
    assert attempt.report.started_at == record["started_at"] <= record["ended_at"]


@pytest.mark.parametrize("code", [1, 3, 137, 255])
def test_an_exit_code_is_kept(start: Start, code: int) -> None:
    record = start(["sh", "-c", f"exit {code}"]).end()
    assert (record["exit_code"], record["signal"], record["reason"]) == (code, None, "exit_code")
    assert record["reason_detail"] == f"exit code {code}"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGRTMIN + 3])
def test_a_signal_is_no_exit_code(start: Start, number: int) -> None:
    attempt = start(["sleep", "60"])
    assert attempt.report.pid is not None
    os.kill(attempt.report.pid, number)
    record = attempt.end()
    assert (record["exit_code"], record["signal"], record["reason"]) == (None, number, "signal")
    assert record["ended_by"] == "external"
    assert record["reason_detail"].startswith("killed by ")


def test_cpu_seconds_and_peak_memory_are_of_the_whole_tree(start: Start) -> None:
    burn = "import time\nx = b'x' * 60_000_000\nwhile time.process_time() < 0.3: pass"
    record = start(["sh", "-c", '"$0" -I -S -c "$1" & "$0" -I -S -c "$1"; wait', sys.executable, burn]).end()
    assert 0.6 <= record["cpu_seconds"] < 3
    assert record["peak_memory"] > 100_000_000


def test_a_short_runs_peak_is_its_own_and_not_the_shims(start: Start) -> None:
    assert start(python("x = b'x' * 80_000_000")).end()["peak_memory"] > 80_000_000


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["no-such-program-anywhere"], "program not found: no-such-program-anywhere"),
        (["./nothing"], "program not found: ./nothing"),
        ([sys.executable, "/no/such/script.py"], "script not found: /no/such/script.py"),
        ([sys.executable, "-u", "-X", "dev", "gone.py", "-c"], "script not found: gone.py"),
        (["/tmp"], "not executable: /tmp (a folder)"),
        (["a\0b"], "an argument or variable holds what no program can be given: a NUL, or a '=' in a name"),
        (["true", "x" * 4_000_000], "arguments and environment are longer than this system takes"),
    ],
)
def test_what_cannot_start_says_why(start: Start, command: list[str], words: str) -> None:
    attempt = start(command)
    assert (attempt.report.event, attempt.report.why) == ("start_error", words)
    record = attempt.end()
    assert (record["reason"], record["reason_detail"]) == ("start_error", words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("exit 0\n", "(not a program this system can start; no '#!' line?)"),
        ("#!/no/such/interpreter\n", "(the program named in its first line, or a library, is missing)"),
    ],
)
def test_a_script_without_its_interpreter_says_so(
    start: Start, tmp_path: Path, text: str, words: str
) -> None:
    script = tmp_path / "script"
    script.write_text(text)
    script.chmod(0o755)
    assert start([str(script)]).end()["reason_detail"].endswith(words)


def test_a_file_without_the_permission_says_so(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    for command in ([str(script)], ["./script"]):
        words = f"not executable: {command[0]} (permission denied)"
        assert start(command, cwd=str(tmp_path)).end()["reason_detail"] == words


def test_a_bad_cwd_is_a_start_error(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, words in {
        "gone": "cwd not found",
        "file": "cwd is not a folder",
        "loop": "cwd is a circle of links",
    }.items():
        record = start(["true"], cwd=str(tmp_path / name)).end()
        assert record["reason_detail"] == f"{words}: {tmp_path / name}"


def test_options_of_python_are_not_taken_for_a_script(start: Start) -> None:
    for options in (["-c", "pass"], ["-Im", "this"], ["-Bc", "pass"], ["-V"], ["-X", "dev", "-c", "pass"]):
        assert start([sys.executable, *options]).end()["exit_code"] == 0


def test_a_run_that_nobody_can_read_stdin_for_gets_its_end(start: Start) -> None:
    assert start(["cat"]).end()["exit_code"] == 0


def test_a_grandchild_holding_the_output_delays_nothing(start: Start) -> None:
    record = start(["sh", "-c", "sleep 60 & exit 5"]).end(limit=10)
    assert (record["exit_code"], record["stragglers"]) == (5, 1)


def test_what_a_module_leaves_behind_may_end_itself(start: Start) -> None:
    trap = "trap 'echo tidy; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    attempt = start(["sh", "-c", f'sh -c "{trap}" & while ! grep -q ready output.log; do :; done'])
    attempt.end()
    assert attempt.log().endswith(b"tidy\n")


@pytest.mark.parametrize(
    "daemon", ["setsid -f sleep 60", "(setsid sh -c 'sleep 60 & sleep 60' &) ; sleep 0.2"]
)
def test_a_daemon_does_not_outlive_its_run(start: Start, daemon: str) -> None:
    attempt = start(["sh", "-c", f"{daemon}; exit 4"])
    record = attempt.end()
    assert record["exit_code"] == 4
    assert record["stragglers"] >= 1
    assert attempt.processes() == []


def test_a_daemon_without_the_cookie_does_not_outlive_its_run(start: Start) -> None:
    attempt = start(
        ["sh", "-c", "env -i setsid -f /bin/sh -c 'echo $$ >daemon; exec /bin/sleep 61'; sleep 0.3"]
    )
    record = attempt.end()
    assert record["stragglers"] == 1
    assert not Path(f"/proc/{(attempt.folder.path / 'daemon').read_text().strip()}").exists()


def test_ignoring_term_helps_no_straggler(start: Start) -> None:
    attempt = start(["sh", "-c", "(trap '' TERM; sleep 60; sleep 60) & sleep 0.1"])
    attempt.end(limit=10)
    assert attempt.processes() == []


def test_a_child_without_its_first_thread_is_still_ended(start: Start) -> None:
    """Its process looks like a zombie to whoever reads only the state."""
    code = (
        "import ctypes, os, threading, time\n"
        "if os.fork(): time.sleep(0.5); os._exit(0)\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "print(os.getpid(), flush=True)\n"
        "ctypes.PyDLL(None).pthread_exit(None)\n"
    )
    attempt = start([sys.executable, "-c", code])
    record = attempt.end()
    assert record["stragglers"] == 1
    wait_until(lambda: not Path(f"/proc/{int(attempt.log())}").exists(), 5, "the child's end")
