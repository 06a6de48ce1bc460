"""F11-F13, F35: supervisors and spawners that are killed or held still, and reused numbers of processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from runyard_actors.run_folder import RunFolder
from tests.faults.oracle import Ground, judge
from tests.in_process import InProcess, in_process
from tests.rest import submit, wait_ended
from tests.support import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

#: What a test that looks for "within grace + 2 s" allows on a machine that others keep busy.
CANCELLED_SECONDS = 15


class Yard:
    """A server, its REST API and where its modules note their starts."""

    def __init__(self, server: InProcess, http: httpx.Client, ground: Ground) -> None:
        self.server = server
        self.http = http
        self.ground = ground
        self.answered: list[str] = []

    def start(self, then: str = "time.sleep(300)", **more: Any) -> str:
        """Start a run; return its id once its process runs."""
        run_id = self.submit(then, **more)
        wait_until(lambda: self.run(run_id)["status"] == "running", 30, "the run is going")
        return run_id

    def submit(self, then: str = "sys.exit(0)", **more: Any) -> str:
        """Submit a run; return its id."""
        command = self.ground.command(then, waits=more.pop("waits", False))
        run = {"command": command, "num_cpus": 0.1, "memory": "64MiB", **more}
        self.answered.append(submit(self.http, **run)["run_id"])
        return self.answered[-1]

    def run(self, run_id: str) -> dict[str, Any]:
        """Return the run as REST shows it."""
        found: dict[str, Any] = self.http.get(f"/api/runs/{run_id}").json()
        return found

    def folder(self, run_id: str) -> RunFolder:
        """Return the folder of the first attempt."""
        return RunFolder.of(self.server.data_dir.runs, run_id, 1)

    def shim(self, run_id: str) -> psutil.Process:
        """Return the supervisor of the first attempt."""
        return psutil.Process((self.folder(run_id).started() or {})["shim_pid"])

    def spawner(self) -> psutil.Process:
        """Return the process that becomes supervisors."""
        (pid,) = self.server.manager._yard.agent.spawner_pids
        return psutil.Process(pid)


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """A yard; at the end everything about its runs is right, whatever happened to them."""
    with in_process(tmp_path, max_concurrent_runs=4, grace="1s") as server, server.http() as http:
        found = Yard(server, http, Ground(tmp_path))
        yield found
        for run_id in found.answered:
            wait_ended(http, run_id)
        data = server.data_dir
        verdict = judge(found.ground, data.database, data.runs, found.answered, slots=4)
        assert verdict.is_good, verdict


def test_a_killed_supervisor_takes_its_run_along_daemons_too(yard: Yard) -> None:
    daemon = """os.fork() or (os.setsid(), os.fork() and os._exit(0))
open(sys.argv[2] + str(os.getpid()), 'w'); time.sleep(300)"""
    run_id = yard.start(daemon)
    wait_until(lambda: len(list(yard.ground.folder.glob("gate*"))) == 2, 20, "module and daemon are up")
    yard.shim(run_id).kill()
    ended = wait_ended(yard.http, run_id)
    assert (ended["status"], ended["reason"]) == ("failed", "supervisor_lost")


def test_a_supervisor_that_is_held_still_is_told_of_and_a_cancel_ends_its_run(yard: Yard) -> None:
    run_id = yard.start()
    yard.shim(run_id).suspend()
    words = wait_until(lambda: yard.run(run_id)["warning"], 15, "a warning")
    assert "supervisor is unresponsive" in words
    assert yard.http.post(f"/api/runs/{run_id}/cancel").status_code == 200
    wait_until(
        lambda: yard.run(run_id)["status"] == "cancelled", CANCELLED_SECONDS, "the cancelled run ended"
    )


def test_a_supervisor_that_is_held_still_again_and_again_does_not_keep_a_cancelled_run_alive(
    yard: Yard,
) -> None:
    run_id = yard.start()
    shim, is_over = yard.shim(run_id), threading.Event()

    def hold() -> None:
        while not is_over.wait(0.001):
            try:
                shim.suspend()
            except psutil.NoSuchProcess:
                return

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        wait_until(lambda: yard.run(run_id)["warning"], 15, "a warning")
        yard.http.post(f"/api/runs/{run_id}/cancel")
        run = wait_until(
            lambda: r if (r := yard.run(run_id))["ended_at"] else None, CANCELLED_SECONDS, "its end"
        )
    finally:
        is_over.set()
        holder.join()
        with suppress(psutil.NoSuchProcess):
            shim.resume()  # It waits for another run by now, and would wait for ever.
    assert (run["status"], run["reason"]) == ("cancelled", "cancelled_by_user")


def test_a_supervisor_that_goes_on_again_is_told_of_and_its_run_ends_as_it_ends(yard: Yard) -> None:
    run_id = yard.start("sys.exit(7)", waits=True)
    shim = yard.shim(run_id)
    shim.suspend()
    wait_until(lambda: "unresponsive" in (yard.run(run_id)["warning"] or ""), 15, "a warning")
    shim.resume()
    wait_until(lambda: "responds again" in (yard.run(run_id)["warning"] or ""), 15, "that it is over")
    yard.ground.gate.touch()
    assert wait_ended(yard.http, run_id)["exit_code"] == 7


def test_a_module_killed_by_a_user_tells_the_signal_and_who(yard: Yard) -> None:
    run_id = yard.start()
    os.kill(yard.run(run_id)["pid"], signal.SIGKILL)
    ended = wait_ended(yard.http, run_id)
    assert (ended["signal"], ended["exit_code"], ended["ended_by"]) == (9, None, "external")


@pytest.mark.parametrize("deed", ["kill", "suspend"])
def test_runs_go_on_and_others_start_whatever_happens_to_the_spawner(yard: Yard, deed: str) -> None:
    going = yard.start("sys.exit(6)", waits=True)
    spawner = yard.spawner()
    getattr(spawner, deed)()
    others = [yard.submit("sys.exit(4)") for _ in range(3)]
    assert [wait_ended(yard.http, run_id)["exit_code"] for run_id in others] == [4, 4, 4]
    if deed == "suspend":
        # What it was asked for meanwhile comes too late, and is refused.
        spawner.resume()
    yard.ground.gate.touch()
    assert wait_ended(yard.http, going)["exit_code"] == 6
    # It has been replaced, and stays only for those that it guards.
    spawner.wait(30)


def test_a_stranger_with_the_number_of_a_lost_supervisor_is_never_signalled(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "300"]) as stranger:
        ground = Ground(tmp_path)
        with in_process(tmp_path, grace="1s") as server, server.http() as http:
            yard = Yard(server, http, ground)
            run_id = yard.start()
            server.leave_runs()
            folder, shim = yard.folder(run_id), yard.shim(run_id)
        # Given a supervisor that died with its machine's other processes, and whose number another process has now
        shim.kill()
        wait_until(lambda: not folder.is_alive(), 20, "the supervisor is gone")
        written = folder.record_file.read_text()
        for name, record in (("shim_pid", folder.started()), ("pid", folder.child())):
            assert record is not None
            written = written.replace(f'"{name}": {record[name]}', f'"{name}": {stranger.pid}')
        folder.record_file.write_text(written)
        assert (folder.started() or {})["shim_pid"] == stranger.pid == (folder.child() or {})["pid"]
        with in_process(tmp_path, grace="1s") as server, server.http() as http:
            ended = wait_ended(http, run_id)
            assert (ended["status"], ended["reason"]) == ("failed", "supervisor_lost")
            verdict = judge(ground, server.data_dir.database, server.data_dir.runs, [run_id], 10)
            assert verdict.is_good, verdict
        assert stranger.poll() is None
        stranger.kill()
