"""Limits without a control group: of memory however it is taken, and of processes, with a neighbour that goes on."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.shim.conftest import Attempt
from tests.support import python, wait_until

Start = Callable[..., Attempt]
LIMIT = 100 << 20

SLOWLY = "import time\nheld = []\nwhile True: held.append(b'x' * 2_000_000); time.sleep(0.02)"
FAST = "held = []\nwhile True: held.append(b'x' * 8_000_000)"
#: Six children of 25 MB each: none is above the limit, together they are.
IN_CHILDREN = (
    "import os, time\nfor _ in range(6):\n"
    "  if not os.fork(): held = b'x' * 25_000_000; time.sleep(60)\ntime.sleep(60)"
)
#: A daemon of two forks and a session of its own takes it, while the main process waits.
IN_A_DAEMON = (
    "import os, time\nif os.fork(): time.sleep(60)\nos.setsid()\nif os.fork(): os._exit(0)\n"
    "held = []\nwhile True: held.append(b'x' * 4_000_000); time.sleep(0.01)"
)


@pytest.mark.parametrize("code", [SLOWLY, FAST, IN_CHILDREN, IN_A_DAEMON])
def test_memory_is_held_however_it_is_taken(start: Start, code: str) -> None:
    attempt = start(python(code), memory_bytes=LIMIT, grace_seconds=60)
    record = attempt.end(limit=20)
    assert (record["reason"], record["ended_by"]) == ("memory_limit", "memory"), record
    assert record["signal"] == signal.SIGKILL
    assert record["peak_memory"] > LIMIT * 0.9
    assert attempt.processes() == []


#: As fast as it can, but below a number that would harm the machine if nothing else stopped it.
BOMB = (
    "import os, time\nprint('lit', flush=True)\n"
    "for _ in range(9):\n  try: os.fork()\n  except OSError: break\nwhile True: time.sleep(0.05)"
)


@pytest.mark.parametrize("step", ["", "os.setsid()"], ids=["in one group", "in sessions of their own"])
def test_a_fork_bomb_is_killed_and_its_neighbour_notices_nothing(start: Start, step: str) -> None:
    neighbour = start(["sh", "-c", "while [ ! -e go ]; do sleep 0.02; done; echo fine"], max_processes=60)
    bomb = start(python(BOMB.replace("os.fork()", f"os.fork() or {step or 'None'}")), max_processes=60)
    record = bomb.end(limit=30)
    assert (record["reason"], record["signal"], record["ended_by"]) == ("signal", 9, "processes"), record
    count = int(record["reason_detail"].split()[1])
    assert record["reason_detail"] == f"had {count} processes, limit 60; killed"
    assert 60 < count <= 520
    assert bomb.processes() == []
    (neighbour.folder.path / "go").touch()
    assert neighbour.end()["exit_code"] == 0
    assert neighbour.log() == b"fine\n"


def test_a_bomb_that_goes_off_late_is_seen_at_once(start: Start) -> None:
    """After some seconds a quiet run is looked at once a second; its processes can multiply in far less."""
    code = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)\n" + BOMB
    attempt = start(python(code), max_processes=60)
    wait_until(lambda: age(attempt) > 6, 30, "the looks becoming rare")
    (attempt.folder.path / "go").touch()
    assert attempt.end(limit=20)["ended_by"] == "processes"


def test_as_many_processes_as_are_allowed_are_no_offence(start: Start) -> None:
    code = (
        "import os, time\nfor _ in range(9):\n  if not os.fork(): time.sleep(1); os._exit(0)\ntime.sleep(1)"
    )
    assert start(python(code), max_processes=10).end()["exit_code"] == 0


def test_a_module_yields_to_what_people_use(start: Start) -> None:
    attempt = start(python("import os; print(os.nice(0))"))
    attempt.end()
    assert int(attempt.log()) == os.nice(0) + 5


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_module_that_prints_without_end_neither_fills_the_disk_nor_busies_its_shim(start: Start) -> None:
    code = "import os\nwhile True: os.write(1, b'y' * 65536)"
    attempt = start(python(code), max_log_bytes=4 << 20)
    wait_until(lambda: attempt.folder.log_size() > 400 << 20, 60, "400 MiB of output")
    spent = cpu_seconds(attempt.report.shim_pid)
    attempt.folder.request_stop("cancelled_by_user", "x", grace_seconds=0)
    record = attempt.end()
    assert spent < 2
    assert os.stat(attempt.folder.log_file).st_blocks * 512 < 6 << 20
    assert record["log_bytes"] - record["log_dropped"] < 6 << 20


def age(attempt: Attempt) -> float:
    """Return how long the shim has lived, in seconds."""
    return time.time() - (attempt.folder.started() or {})["started_at"] / 1e6


def cpu_seconds(pid: int | None) -> float:
    columns = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(columns[11]) + int(columns[12])) / os.sysconf("SC_CLK_TCK")
