"""Rows 57 to 91: what is to be started, and how it behaves. `@folder@` is the folder that `make_odd_files` fills."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.bad_input.row import NO_CALL, Accepted, Batch, Ends, HeldBy, Refused, Row, Submit
from tests.support import python

TRUE = ["true"]
FOLDER = "@folder@"
LONG_PATH = "/" + "a" * 5_000


def make_odd_files(folder: Path) -> None:
    """Make what cannot be started, and where nothing can be."""
    (folder / "no-first-line").write_text("exit 0\n")
    (folder / "no-first-line").chmod(0o755)
    (folder / "no-permission").write_text("#!/bin/sh\n")
    (folder / "circle").symlink_to(folder / "circle")
    (folder / "closed").mkdir(mode=0)


def runs(*command: str, **fields: Any) -> Submit:
    """Return a run of a command, which is one for `runyard run`, too."""
    return Submit(fields={"command": list(command), **fields}, options=())


def with_option(option: str, value: str, **fields: Any) -> Submit:
    """Return a run with an option that says the same as its fields."""
    return Submit(fields={"command": TRUE, **fields}, options=(option, value))


def not_started(*words: str, code: int = 126) -> Ends:
    """Return the end of what could not be started."""
    return Ends(status="failed", reason="start_error", words=words, code=code)


STARTS = [
    Row(
        57, "no program", runs("no-such-program"), not_started("program not found: no-such-program", code=127)
    ),
    Row(
        58,
        "no cwd",
        with_option("--cwd", "/no/such/folder", cwd="/no/such/folder"),
        not_started("cwd not found: /no/such/folder"),
    ),
    Row(
        59,
        "no script",
        Submit(fields={"script": "/no/such/script.py"}),
        not_started("script not found: /no/such/script.py"),
    ),
    Row(
        59,
        "no script, checked at submit",
        NO_CALL,
        HeldBy(
            "integration/test_bad_input.py::test_with_check_files_what_is_missing_here_is_refused_at_once",
            "it is a setting of the server",
        ),
    ),
    Row(
        60,
        "not executable",
        runs(f"{FOLDER}/no-permission"),
        not_started("not executable", "permission denied"),
    ),
    Row(61, "no first line", runs(f"{FOLDER}/no-first-line"), not_started("not executable", "no '#!' line?")),
    Row(63, "a folder", runs(FOLDER), not_started("not executable", "a folder")),
    Row(64, "nothing to run", runs(), Refused(words=["command"])),
    Row(64, "a program without a name", runs(""), Refused(words=["program"])),
    Row(66, "a NUL in an argument", runs("true", "a\0b"), Refused(words=["NUL"])),
    Row(67, "an argument of 131,072 bytes", runs("true", "a" * 131_072), Refused(words=["131071"])),
    Row(67, "the same in UTF-8", runs("true", "é" * 65_536), Refused(words=["131071"])),
    Row(67, "an argument of 131,071 bytes", runs("true", "a" * 131_071), Accepted()),
    Row(68, "arguments of 3 MB", runs("true", *["a" * 100_000] * 30), Refused(words=["2000000"])),
    Row(
        70,
        "a number as a variable",
        Submit(fields={"command": TRUE, "env": {"A": 1}}, not_at=("command line",)),
        Refused(words=["env", "string"]),
    ),
    Row(
        71,
        "RUNYARD_RUN_ID is set",
        with_option("--env", "RUNYARD_RUN_ID=x", env={"RUNYARD_RUN_ID": "x"}),
        Refused(words=["RUNYARD_RUN_ID"]),
    ),
    Row(
        71,
        "Runyard_x is set",
        with_option("--env", "Runyard_x=x", env={"Runyard_x": "x"}),
        Refused(words=["Runyard_x"]),
    ),
    Row(
        72,
        "no PATH",
        Submit(fields={"command": python("pass"), "env": {"PATH": ""}}, options=("--env", "PATH=")),
        Accepted(shown={"env_keys": ["PATH"]}),
    ),
    Row(73, "a cwd of 5,001", with_option("--cwd", LONG_PATH, cwd=LONG_PATH), Refused(words=["cwd", "4096"])),
    Row(73, "a script of 5,001", Submit(fields={"script": LONG_PATH}), Refused(words=["script", "4096"])),
    Row(
        75,
        "a closed cwd",
        with_option("--cwd", f"{FOLDER}/closed", cwd=f"{FOLDER}/closed"),
        # No folder is closed to root.
        not_started("cwd cannot be entered", "permission denied") if os.geteuid() else Ends(exit_code=0),
    ),
    Row(
        75,
        "the words for a closed cwd",
        NO_CALL,
        HeldBy(
            "unit/test_start_error.py::test_a_cwd_says_what_is_wrong_with_it", "root may enter any folder"
        ),
    ),
    Row(
        76,
        "a cwd that is a circle",
        with_option("--cwd", f"{FOLDER}/circle", cwd=f"{FOLDER}/circle"),
        not_started("cwd is a circle of links"),
    ),
]

LEAVES = """
import os, time
if not os.fork():
    os.setsid()
    if os.fork(): os._exit(0)
    time.sleep(1000)
print("gone")
"""
KILLS_ITSELF = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
FAILED_BY_CODE = {"status": "failed", "reason": "exit_code"}

BEHAVIOUR = [
    Row(77, "exits with 256", runs(*python("import os; os._exit(256)")), Ends(exit_code=0)),
    Row(
        77,
        "exits with -1",
        runs(*python("import os; os._exit(-1)")),
        Ends(**FAILED_BY_CODE, exit_code=255, code=255),
    ),
    Row(
        78,
        "exits with 137",
        runs(*python("raise SystemExit(137)")),
        Ends(**FAILED_BY_CODE, exit_code=137, code=137),
    ),
    Row(
        78,
        "is killed",
        runs(*python(KILLS_ITSELF)),
        Ends(status="failed", reason="signal", signal=9, code=137),
    ),
    Row(79, "leaves a daemon behind", runs(*python(LEAVES)), Ends(exit_code=0, log=b"gone\n")),
    Row(
        79,
        "the daemon is ended",
        NO_CALL,
        HeldBy(
            "integration/shim/test_shim_end.py::test_a_daemon_does_not_outlive_its_run",
            "four kinds of daemon",
        ),
    ),
    Row(80, "closes its output", runs(*python("import os; os.close(1); os.close(2)")), Ends(exit_code=0)),
    Row(82, "ends without a new line", runs("printf", "no end"), Ends(exit_code=0, log=b"no end")),
    Row(82, "writes no text", runs("printf", r"\377\000\r\n"), Ends(exit_code=0, log=b"\xff\0\r\n")),
    Row(
        83,
        "reads its input",
        runs(*python("import sys; print(repr(sys.stdin.read()))")),
        Ends(exit_code=0, log=b"''\n"),
    ),
    Row(
        84,
        "asks for a terminal",
        runs(*python("import os; print([os.isatty(n) for n in (0, 1, 2)])")),
        Ends(exit_code=0, log=b"[False, False, False]\n"),
    ),
    Row(
        86,
        "forks without end",
        NO_CALL,
        HeldBy(
            "integration/shim/test_shim_limits.py::test_a_fork_bomb_is_killed_and_its_neighbour_notices_nothing",
            "a limit of its own, and a neighbour",
        ),
    ),
    Row(
        86,
        "forks without end, in a group",
        NO_CALL,
        HeldBy(
            "integration/shim/test_shim_group.py::test_a_bomb_in_a_group_dies_at_once", "needs control groups"
        ),
    ),
    Row(
        87, "no time", with_option("--timeout", "0", timeout=0), Refused(words=["timeout", "greater than 0"])
    ),
    Row(87, "-1 seconds", with_option("--timeout", "-1", timeout=-1), Refused(words=["timeout"])),
    Row(
        87,
        "-1 seconds in words",
        with_option("--timeout", "-1s", timeout="-1s"),
        Refused(words=["not a duration"]),
    ),
    Row(
        87,
        "10^12 seconds",
        with_option("--timeout", "1000000000000", timeout=1e12),
        Accepted(shown={"timeout_seconds": 1e12}),
    ),
    Row(
        87,
        "10^13 seconds",
        with_option("--timeout", "10000000000000", timeout=1e13),
        Refused(words=["out of range"]),
    ),
    Row(
        88,
        "priority 2^40",
        with_option("--priority", str(2**40), priority=2**40),
        Refused(words=["priority", "1000000"]),
    ),
    Row(88, "priority 1.5", with_option("--priority", "1.5", priority=1.5), Refused(words=["priority"])),
    Row(88, "priority true", Submit(fields={"command": TRUE, "priority": True}), Refused(words=["priority"])),
    Row(89, "after itself", Batch(runs=[{"command": TRUE, "after": [0]}]), Refused(words=["itself"])),
    Row(
        89,
        "a circle",
        Batch(runs=[{"command": TRUE, "after": [(i + 1) % 3]} for i in range(3)]),
        Refused(rest=["circle"], python=["circle"], command_line=["waits for itself"]),
    ),
    Row(89, "after what is not there", Batch(runs=[{"command": TRUE, "after": [7]}]), Refused(words=["7"])),
    Row(
        89,
        "after an id that is not known",
        Submit(
            fields={"command": TRUE, "after": ["01ARZ3NDEKTSV4RRFFQ69G5FAV"]},
            options=("--after", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ),
        Refused(words=["01ARZ3NDEKTSV4RRFFQ69G5FAV"]),
    ),
    Row(
        91,
        "a moment that has passed",
        with_option("--delay-until", "2001-01-31T08:00:00Z", delay_until="2001-01-31T08:00:00Z"),
        Refused(words=["delay", "lies in the past"]),
    ),
    Row(
        91,
        "no moment",
        with_option("--delay-until", "soon", delay_until="soon"),
        Refused(words=["delay", "not a moment"]),
    ),
]

ROWS = [*STARTS, *BEHAVIOUR]
