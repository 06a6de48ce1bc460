"""F48: a server in a terminal is ended by Ctrl-C, or with the terminal: its runs go on, or end with their grace."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from runyard.client import Client
from runyard.server import up
from runyard.server.stop_runs import REASON, stop_runs
from runyard.server.up import cancel_all
from runyard_actors.run_folder import RunFolder
from runyard_actors.store import StoreReader
from runyard_cluster.data_dir import DataDir
from runyard_cluster.errors import ConflictError
from runyard_cluster.server_record import running_server
from tests.faults.oracle import Ground
from tests.in_process import in_process
from tests.integration.conftest import START_SECONDS
from tests.rest import submit, wait_ended
from tests.support import processes_naming, wait_until

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="terminals")

LEAVE_SECONDS = 120
#: Ends as it likes once it was asked to; without that, it waits for the gate.
GRACEFUL = """
import signal
def asked(*_):
    open(sys.argv[2] + ".asked", "w").close()
    sys.exit(4)
signal.signal(signal.SIGTERM, asked)
print("ready", flush=True)
while not os.path.exists(sys.argv[2]): time.sleep(0.02)
sys.exit(7)"""


_WAITS = """
print("ready", flush=True)
while not os.path.exists(sys.argv[2]): time.sleep(0.02)"""


class Terminal:
    """A terminal with `runyard up` in its foreground, as a person has it."""

    def __init__(self, config: Path, *options: str) -> None:
        self.master, slave = os.openpty()
        command = [sys.executable, "-m", "runyard", "--config", str(config), "up", "--port", "0", *options]
        with os.fdopen(slave, "rb+", buffering=0) as end:
            self.process = subprocess.Popen(["setsid", "--ctty", *command], stdin=end, stdout=end, stderr=end)

    def press_ctrl_c(self) -> None:
        """Send what the terminal makes an interrupt of, for all that is in its foreground."""
        os.write(self.master, b"\x03")

    def close(self) -> None:
        """Be gone, as a window that is closed, or a connection that is lost."""
        os.close(self.master)


@contextmanager
def terminal(*options: str) -> Iterator[tuple[Terminal, DataDir]]:
    """Serve in a terminal; whatever became of it, nothing is left afterwards."""
    if shutil.which("setsid") is None:
        pytest.skip("needs setsid, to give a process a terminal")
    folder = Path(tempfile.mkdtemp(prefix="ry-", dir="/tmp"))
    config, data_dir = folder / "runyard.toml", DataDir(folder / "data")
    config.write_text(f'data_dir = {json.dumps(str(data_dir.path))}\ncpu_busy_percent = 0\ngrace = "20s"\n')
    shown = Terminal(config, *options)
    try:
        wait_until(lambda: running_server(data_dir), START_SECONDS, "the server is up")
        yield shown, data_dir
    finally:
        if shown.process.poll() is None:
            shown.process.terminate()
        shown.process.wait(LEAVE_SECONDS)
        wait_until(lambda: not processes_naming(str(folder)), 60, "nothing of the server is left")
        shutil.rmtree(folder, ignore_errors=True)


def going(data_dir: DataDir, ground: Ground) -> tuple[str, int]:
    """Start a run that can end by itself when it is asked to; return its id and its process once it does."""
    with closing(Client(locate=lambda: running_server(data_dir))) as client:
        run_id = str(client.submit({"command": ground.command(GRACEFUL), "num_cpus": 0.1})["run_id"])
        wait_until(lambda: client.log(run_id) == b"ready\n", START_SECONDS, "the run goes on")
        return run_id, client.run(run_id)["pid"]


def was_asked(ground: Ground) -> bool:
    return Path(f"{ground.gate}.asked").exists()


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_ctrl_c_at_the_terminal_ends_the_server_and_leaves_its_runs(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    with terminal() as (shown, data_dir):
        run_id, pid = going(data_dir, ground)
        shown.press_ctrl_c()
        shown.process.wait(LEAVE_SECONDS)
        assert psutil.pid_exists(pid), "the run goes on"
        assert not was_asked(ground)
        ground.gate.touch()
        wait_until(lambda: not psutil.pid_exists(pid), 60, "it ends by itself")
    assert ground.noted() == {(run_id, 1): 1}


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_closed_terminal_ends_the_server_and_its_runs_where_that_is_asked_for(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    with terminal("--stop-runs") as (shown, data_dir):
        run_id, pid = going(data_dir, ground)
        shown.close()
        shown.process.wait(LEAVE_SECONDS)
        assert not psutil.pid_exists(pid)
        assert was_asked(ground), "it had its grace"
        with closing(StoreReader(data_dir.database)) as reader:
            run = reader.run(run_id)
        assert run is not None
        assert (run["status"], run["reason"], run["exit_code"]) == ("cancelled", "cancelled_by_user", 4)
        assert run["reason_detail"] == REASON
        assert not data_dir.paused_file.exists(), "the next server starts what is submitted to it"


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_logout_that_ends_all_of_the_session_leaves_the_runs(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    with terminal() as (shown, data_dir):
        run_id, pid = going(data_dir, ground)
        # When the terminal goes, and then, one way after the other, whatever else there is of the login's session
        session = os.getsid(shown.process.pid)
        shown.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for each in of_session(session):
                each.send_signal(number)
            psutil.wait_procs(of_session(session), timeout=10)
        shown.process.wait(LEAVE_SECONDS)
        wait_until(lambda: not of_session(session), 60, "nothing of the session is left")
        # Then the run goes on, to its own end
        assert psutil.pid_exists(pid)
        assert not was_asked(ground)
        ground.gate.touch()
        folder = RunFolder.of(data_dir.runs, run_id, 1)
        wait_until(folder.exit, 60, "it has ended by itself")
        assert (folder.exit() or {})["exit_code"] == 7
    assert ground.noted() == {(run_id, 1): 1}


def of_session(session: int) -> list[psutil.Process]:
    """Return the living processes of a session, as a system finds those of a login."""
    found = []
    for each in psutil.process_iter():
        with suppress(OSError, psutil.Error):
            if os.getsid(each.pid) == session and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


@pytest.mark.parametrize("is_paused", [False, True])
@pytest.mark.parametrize("is_asked", [False, True], ids=["a signal", "down --cancel"])
def test_all_that_has_not_ended_is_stopped_and_admission_is_as_it_was(
    is_asked: bool, is_paused: bool, tmp_path: Path
) -> None:
    ground = Ground(tmp_path)
    with in_process(tmp_path, max_concurrent_runs=2) as server, server.http() as http:
        runs = [submit(http, command=ground.command(GRACEFUL), num_cpus=0.1)["run_id"] for _ in range(5)]
        wait_until(lambda: len(ground.noted()) == 2, 60, "two of them go on")
        if is_paused:
            http.post("/api/pause")
        if is_asked:
            with server.client() as client:
                cancel_all(client, server.settings.grace)
        else:
            assert server.call(stop_runs(server.context))
        assert {wait_ended(http, run_id)["status"] for run_id in runs} == {"cancelled"}
        assert len(ground.noted()) == 2, "nothing started meanwhile"
        assert http.get("/api/resources").json()["semaphore"]["is_paused"] is is_paused


def test_what_does_not_end_with_its_grace_is_named_and_the_server_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up, "END_SECONDS", 0.2)
    ground = Ground(tmp_path)
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + _WAITS
    with in_process(tmp_path, grace="10m") as server, server.http() as http, server.client() as client:
        run_id = submit(http, command=ground.command(stubborn), num_cpus=0.1)["run_id"]
        wait_until(lambda: client.log(run_id) == b"ready\n", 60, "it goes on")
        with pytest.raises(
            ConflictError, match=f"1 cancelled runs have not ended after 0.2 s: {run_id} on here;"
        ):
            cancel_all(client, 0.0)
        assert not http.get("/api/resources").json()["semaphore"]["is_paused"]
        ground.gate.touch()
        assert wait_ended(http, run_id)["status"] == "cancelled"
