"""`runyard run` and `runyard batch`: exit codes, output, interruption."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import Shell
from tests.support import processes_with, python, wait_until

SLEEP = python("import time; print('up', flush=True); time.sleep(300)")


@pytest.mark.parametrize(
    ("options", "command", "code"),
    [
        ([], python("print('out')"), 0),
        ([], python("raise SystemExit(3)"), 3),
        (["--timeout", "500ms"], SLEEP, 124),
        ([], ["/etc/hostname"], 126),
        ([], ["no-such-program"], 127),
        (["--memory", "64MiB"], python("import time; b = bytearray(200 << 20); time.sleep(60)"), 137),
        ([], python("import os; os.kill(os.getpid(), 15)"), 143),
    ],
)
def test_run_exits_with_the_runs_own_code(
    shell: Shell, options: list[str], command: list[str], code: int
) -> None:
    done = shell.run("run", *options, "--", *command)
    assert done.returncode == code, done.stderr


def test_run_prints_the_output_byte_by_byte(shell: Shell) -> None:
    done = shell.run("run", "--", *python("import sys; sys.stdout.write('a\\r\\nb\\tc')"))
    assert done.stdout == "a\nb\tc"  # universal newlines of this test; the bytes are checked below
    log = shell.run("logs", "last")
    assert log.stdout == done.stdout


def test_a_request_that_nothing_can_hold_is_refused_in_words(shell: Shell) -> None:
    done = shell.run("run", "--memory", "900TiB", "--", "true")
    assert done.returncode in (2, 125)
    assert "900 TiB" in done.stderr
    assert "Traceback" not in done.stderr


def test_detach_prints_the_run_and_wait_and_cancel_find_it(shell: Shell) -> None:
    done = shell.run("run", "--detach", "--json", "--label", "kind=test", "--", *SLEEP)
    run = json.loads(done.stdout)
    assert run["labels"] == {"kind": "test"}
    assert run["status"] in ("queued", "running")
    listed = json.loads(shell.run("ps", "--json").stdout)
    assert run["run_id"] in [r["run_id"] for r in listed["runs"]]
    assert shell.run("cancel", run["run_id"], "--reason", "enough").returncode == 0
    assert shell.run("wait", run["run_id"]).returncode == 1
    shown = json.loads(shell.run("show", run["run_id"], "--json").stdout)
    assert (shown["status"], shown["reason"]) == ("cancelled", "cancelled_by_user")
    assert not processes_with({"RUNYARD_RUN_ID": run["run_id"]})


@pytest.mark.parametrize("kind", ["toml", "json", "jsonl", "csv"])
def test_a_batch_file_of_every_format_runs(shell: Shell, kind: str) -> None:
    script = shell.folder / "say.py"
    script.write_text("import sys; print(sys.argv[1])")
    texts = {
        "toml": '[[runs]]\nscript = "say.py"\nargs = ["one"]\n'
        '[[runs]]\nscript = "say.py"\nargs = ["two"]\nafter = [0]\n',
        "json": '{"runs": [{"script": "say.py", "args": ["one"]}, {"script": "say.py", "args": ["two"]}]}',
        "jsonl": '{"script": "say.py", "args": ["one"]}\n{"script": "say.py", "args": ["two"]}\n',
        "csv": "script,args\nsay.py,one\nsay.py,two\n",
    }
    file = shell.folder / f"batch.{kind}"
    file.write_text(texts[kind])
    done = shell.run("batch", str(file))
    assert done.returncode == 0, done.stderr
    logs = [
        shell.run("logs", run["run_id"]).stdout
        for run in json.loads(shell.run("history", "--json", "--limit", "2").stdout)["runs"]
    ]
    assert logs == ["two\n", "one\n"]


def test_a_bad_batch_file_is_told_with_its_rows_and_runs_nothing(shell: Shell) -> None:
    file = shell.folder / "bad.csv"
    file.write_text("command,memory\ntrue,1GiB\ntrue,64 gigs\n")
    before = json.loads(shell.run("history", "--json").stdout)["total"]
    done = shell.run("batch", str(file))
    assert done.returncode == 2
    assert "64 gigs" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(shell.run("history", "--json").stdout)["total"] == before


def _stop_what_goes_on(shell: Shell, mark: Path, said: str) -> None:
    """A server that was told to be up keeps what it accepted, and the command says how that is stopped."""
    assert processes_with({"MARK": str(mark)})
    command = re.search(r"'runyard (cancel \S+)' stops it", said)
    assert command, said
    assert shell.run(*command[1].split()).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a single process there")
def test_ctrl_c_cancels_what_the_batch_still_runs_and_says_so(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "sleepers.jsonl"
    file.write_text(
        "".join(json.dumps({"command": SLEEP, "env": {"MARK": str(tmp_path)}}) + "\n" for _ in range(4))
    )
    process = shell.start("batch", str(file))
    wait_until(lambda: len(processes_with({"MARK": str(tmp_path)})) == 4, 120, "four runs are up")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "cancel" in (out + err).lower()
    if shell.mode != "embedded":
        _stop_what_goes_on(shell, tmp_path, err)
    wait_until(lambda: not processes_with({"MARK": str(tmp_path)}), 10, "all are gone")


def test_ctrl_c_in_a_python_program_cancels_what_it_submitted(shell: Shell, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\nfrom runyard import Module, submit_batch\n"
        "code = 'import time; time.sleep(300)'\n"
        f"run = Module('m', command=[sys.executable, '-c', code], env={{'MARK': {str(tmp_path)!r}}})\n"
        "submit_batch([run] * 3).wait()\n"
    )
    process = subprocess.Popen(
        [shell.installed.python, str(program)],
        env={**shell.environ, "RUNYARD_CONFIG": str(shell.folder / "runyard.toml")},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: len(processes_with({"MARK": str(tmp_path)})) == 3, 120, "three runs are up")
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    if shell.mode == "embedded":
        assert "3 runs were cancelled" in err
    else:
        newest = json.loads(shell.run("history", "--json", "--limit", "3").stdout)["runs"]
        assert {run["status"] for run in newest} == {"running"}, "a server that was told to be up keeps them"
        assert shell.run("cancel", *[run["run_id"] for run in newest]).returncode == 0
    wait_until(lambda: not processes_with({"MARK": str(tmp_path)}), 10, "all are gone")


def test_an_embedded_server_finishes_what_it_accepted_and_leaves_by_itself(
    shell: Shell, tmp_path: Path
) -> None:
    if shell.mode == "server":
        pytest.skip("a server that was told to be up stays")
    shell.run("down")
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\nfrom runyard import Module, submit_batch\n"
        "code = 'import time; time.sleep(1); print(\"late\")'\n"
        "batch = submit_batch([Module('late', command=[sys.executable, '-c', code])] * 3)\n"
        "print(*[run.run_id for run in batch.runs])\n"
    )
    environ = {**shell.environ, "RUNYARD_CONFIG": str(shell.folder / "runyard.toml")}
    # Given a program that is gone before what it submitted has started
    done = subprocess.run(
        [shell.installed.python, str(program)], env=environ, capture_output=True, text=True, timeout=150
    )
    assert done.returncode == 0, done.stderr
    ids = done.stdout.split()
    # Then the server that was started for it goes when the last run has ended, and not before
    wait_until(lambda: not (shell.folder / "data" / "server.json").exists(), 120, "the server has left")
    for run_id in ids:
        assert json.loads(shell.run("show", run_id, "--json").stdout)["status"] == "completed"
        assert shell.run("logs", run_id).stdout == "late\n"
