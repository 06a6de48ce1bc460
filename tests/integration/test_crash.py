"""What dies, and what must not be lost with it. These tests harm their server, so each has its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from runyard.session import Session
from tests.support import below, command_of, lines_of, name_of, processes_naming, python, the_one, wait_until


def raylet(session: Session) -> psutil.Process:
    """Return the raylet of this session's Ray."""
    return the_one([p for p in processes_naming(str(session.data_dir.ray_temp)) if name_of(p) == "raylet"])


def manager_process(session: Session) -> psutil.Process:
    """Return the process of the RunManager actor below this session's raylet."""
    return the_one([process for process in below(raylet(session)) if "RunManager" in command_of(process)])


def counting(starts: Path, number: int, then: str) -> list[str]:
    """Return a command that notes each of its starts in a file of its own, and goes on with `then`."""
    note = f"import os, sys, time; open({str(starts / str(number))!r}, 'a').write('{number}\\n'); "
    return python(note + then)


def test_a_killed_manager_loses_nothing_and_starts_nothing_twice(
    own_session: Callable[[str], Session], tmp_path: Path
) -> None:
    starts, gate = tmp_path / "starts", tmp_path / "gate"
    starts.mkdir()
    session = own_session("max_concurrent_runs = 5\ncpu_busy_percent = 0\n")
    waits = f"\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\nsys.exit({{}})"
    going = [{"command": counting(starts, n, waits.format(n % 3))} for n in range(5)]
    queued = [{"command": counting(starts, n, "sys.exit(0)")} for n in range(5, 25)]
    batch = session.submit_batch({"runs": going + queued}, None)
    wait_until(lambda: len(list(starts.iterdir())) == 5, 60, "five runs are going")
    # Given five runs that go and twenty that wait, when the manager is killed
    killed = manager_process(session)
    killed.kill()
    killed.wait(10)
    wait_until(lambda: session.client.resources()["semaphore"]["active"] == 5, 60, "the five are adopted")
    gate.touch()
    # Then all end with their true exit codes, each started once
    ended = [run.wait(120) for run in batch.runs]
    assert [run.exit_code for run in ended] == [n % 3 for n in range(5)] + [0] * 20
    assert sorted(lines_of(starts), key=int) == [str(n) for n in range(25)]
    assert all(run.fields["attempt"] == 1 for run in ended)


def test_runs_outlive_their_server_and_are_taken_over_by_the_next_one(
    own_session: Callable[[str], Session], tmp_path: Path
) -> None:
    gate, starts = tmp_path / "gate", tmp_path / "starts"
    starts.mkdir()
    session = own_session("max_concurrent_runs = 3\ncpu_busy_percent = 0\n")
    waits = f"\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\nprint('late'); sys.exit(4)"
    run = session.submit({"command": counting(starts, 1, waits)}, None)
    wait_until(lambda: run.status == "running", 60, "the run is going")
    # Given a going run, when everything of ours and of Ray is killed at once
    head = raylet(session)
    ours = [
        psutil.Process(session.server()["pid"]),
        *processes_naming(str(session.data_dir.ray_temp)),
        *below(head),
    ]
    for process in ours:
        # Ray's own end when another one of its processes was killed.
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(ours, 10)
    assert psutil.pid_exists(run.fields["pid"]), "the module goes on"
    # Then the next server adopts it and knows its true end
    gate.touch()
    found = wait_until(lambda: ended(session, run.run_id), 120, "the run has ended")
    assert (found["exit_code"], found["reason"]) == (4, "exit_code")
    assert session.client.log(run.run_id) == b"late\n"
    assert list(lines_of(starts)) == ["1"]


def ended(session: Session, run_id: str) -> dict | None:
    """Return the run once it has ended."""
    found = session.client.run(run_id)
    return found if found["ended_at"] else None
