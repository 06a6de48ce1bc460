"""F3-F7, F9, F52: what of Ray and of the server can die, dies under a run that goes on, and is taken over.

All on one server, which each test leaves whole.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from runyard.run import Run
from runyard_cluster.errors import ConnectionFailedError, UnavailableError
from tests.faults.oracle import Ground, judge
from tests.integration.conftest import TestSession, embedded
from tests.integration.test_crash import manager_process, raylet
from tests.support import below, command_of, name_of, processes_naming, wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

SLOTS = 4
#: Ray itself needs most of it, on a machine that others keep busy.
BACK_SECONDS = 120
#: A manager that hangs makes the server not ready within this.
RED_SECONDS = 10
#: Somebody who cannot join a Ray is told why within this.
TOLD_SECONDS = 5


@pytest.fixture(scope="module")
def hangups_are_heard() -> Iterator[None]:
    """Started to outlive its terminal, this process would pass on to its servers that a hangup is nothing to them."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="module")
def ray_yard(hangups_are_heard: None) -> Iterator[tuple[TestSession, Ground]]:
    """A server with Ray; in the end all that was ever submitted to it is right."""
    with (
        tempfile.TemporaryDirectory(prefix="ry-ground-") as folder,
        embedded(f'max_concurrent_runs = {SLOTS}\ncpu_busy_percent = 0\ngrace = "2s"\n') as session,
    ):
        ground = Ground(Path(folder))
        yield session, ground
        runs = session.client.runs(limit=1000)["runs"]
        data = session.data_dir
        verdict = judge(ground, data.database, data.runs, [run["run_id"] for run in runs], SLOTS)
        assert verdict.is_good, verdict


def ray_processes(session: TestSession, name: str = "") -> list[psutil.Process]:
    """Return the processes of this server's Ray, all or those of one name."""
    found = [*processes_naming(str(session.data_dir.ray_temp)), *below(raylet(session))]
    unique = {p.pid: p for p in found}.values()
    return [p for p in unique if name in name_of(p) and p.pid != session.server()["pid"]]


VICTIMS: dict[str, Callable[[TestSession], list[psutil.Process]]] = {
    "manager": lambda session: [manager_process(session)],
    "raylet": lambda session: ray_processes(session, "raylet"),
    "gcs": lambda session: ray_processes(session, "gcs_server"),
    "all of Ray": ray_processes,
    "server": lambda session: [psutil.Process(session.server()["pid"])],
    "everything": lambda session: [psutil.Process(session.server()["pid"]), *ray_processes(session)],
}
SHORT = ("manager", "raylet", "gcs", "everything")


@contextmanager
def going(session: TestSession, ground: Ground) -> Iterator[Run]:
    """Have a run go on for the length of the block; then it ends, with its own exit code, started once."""
    ground.gate.unlink(missing_ok=True)
    run = session.submit({"command": ground.command("sys.exit(7)", waits=True), "num_cpus": 0.5}, None)
    try:
        wait_until(lambda: run.status == "running", BACK_SECONDS, "the run is going")
        yield run
    finally:
        ground.gate.touch()
    assert run.wait(BACK_SECONDS).exit_code == 7
    assert (run.fields["reason"], run.fields["attempt"]) == ("exit_code", 1)


def late(session: TestSession, ground: Ground) -> Run:
    """Submit a run to a server that is on its way up; on a busy machine that takes longer than a client is patient."""
    key, run = secrets.token_hex(8), {"command": ground.command("sys.exit(3)"), "num_cpus": 0.1}

    def submitted() -> Run | None:
        try:
            return session.submit(run, key)
        except (UnavailableError, ConnectionFailedError):
            return None

    found = wait_until(submitted, BACK_SECONDS, "a server that takes new work")
    assert found is not None
    return found


def active(session: TestSession) -> int | None:
    """Return how many slots are taken; None while nobody can tell.

    An old manager may do what is submitted last before it is noticed that its Ray is gone, and be replaced then.
    """
    try:
        return int(session.client.resources()["semaphore"]["active"])
    except (UnavailableError, ConnectionFailedError):
        return None


def is_whole(session: TestSession, killed: Sequence[psutil.Process]) -> bool:
    """Whether Ray and one manager are there, and none of those that were killed, or go with them, is left of it.

    A manager whose raylet was killed lives, and answers its server, for some seconds more.
    """
    others = [each for each in processes_naming(str(session.data_dir.ray_temp)) if each not in killed]
    names = [name_of(process) for process in others]
    if names.count("raylet") != 1 or names.count("gcs_server") != 1:
        return False
    try:
        found = managers(session)
    except AssertionError:
        # There is no raylet any more, or a second one for the moment.
        return False
    return len(found) == 1 and found[0] not in killed


@pytest.mark.parametrize(
    "victim", [pytest.param(v, marks=() if v in SHORT else pytest.mark.long) for v in VICTIMS]
)
def test_a_run_goes_on_whatever_is_killed_and_is_taken_over(
    victim: str, ray_yard: tuple[TestSession, Ground]
) -> None:
    session, ground = ray_yard
    with going(session, ground) as run:
        queued = session.submit({"command": ground.command(waits=True), "num_cpus": 0.1}, None)
        killed = VICTIMS[victim](session)
        for process in killed:
            # Ray ends workers of its own accord, too, and all when another one of these was killed.
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(killed, 10)
        assert psutil.pid_exists(run.fields["pid"]), "the module goes on"
        assert late(session, ground).wait(BACK_SECONDS).exit_code == 3, "new work is done"
        wait_until(lambda: is_whole(session, killed), BACK_SECONDS, "Ray is there again")
        wait_until(lambda: active(session) == 2, BACK_SECONDS, "both are counted again")
        assert run.status == "running"
    assert queued.wait(BACK_SECONDS).exit_code == 0


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGHUP, pytest.param(signal.SIGINT, marks=pytest.mark.long)]
)
def test_a_server_that_is_told_to_leave_leaves_its_runs(
    number: signal.Signals, ray_yard: tuple[TestSession, Ground]
) -> None:
    session, ground = ray_yard
    with going(session, ground) as run:
        server = psutil.Process(session.server()["pid"])
        server.send_signal(number)
        server.wait(60)
        assert not session.data_dir.server_file.exists(), "it left, rather than died"
        # Ray's agents see for themselves that their raylet is gone.
        wait_until(lambda: not processes_naming(str(session.data_dir.ray_temp)), 30, "and took its Ray along")
        assert psutil.pid_exists(run.fields["pid"])
        assert late(session, ground).wait(BACK_SECONDS).exit_code == 3
        assert run.status == "running"


def test_a_server_whose_ray_was_started_anew_leaves_when_it_is_told(
    ray_yard: tuple[TestSession, Ground],
) -> None:
    session, ground = ray_yard
    with going(session, ground) as run:
        server, killed = psutil.Process(session.server()["pid"]), ray_processes(session, "raylet")
        for process in killed:
            process.kill()
        wait_until(lambda: is_whole(session, killed), BACK_SECONDS, "Ray is there again")
        wait_until(lambda: active(session) == 1, BACK_SECONDS, "the run is taken over")
        server.terminate()
        server.wait(60)
        assert not session.data_dir.server_file.exists(), "it left, rather than died"
        assert late(session, ground).wait(BACK_SECONDS).exit_code == 3
        assert run.status == "running"


def test_a_second_server_on_the_folder_is_refused_and_told_of_the_first(
    ray_yard: tuple[TestSession, Ground],
) -> None:
    session, _ = ray_yard
    config = session.data_dir.path.parent / "runyard.toml"
    done = subprocess.run(
        [sys.executable, "-m", "runyard.server.host", "--config", str(config)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert f"process {session.server()['pid']}" in done.stderr


def test_a_lease_that_dies_is_taken_again_and_nothing_is_granted_twice(
    ray_yard: tuple[TestSession, Ground],
) -> None:
    session, ground = ray_yard
    with going(session, ground) as run:

        def lease() -> list[psutil.Process]:
            return [p for p in ray_processes(session) if run.run_id in command_of(p)]

        (worker,) = wait_until(lease, 30, "the run has a lease of its own")
        worker.kill()
        worker.wait(10)
        (again,) = wait_until(lease, 60, "the lease is taken again")
        assert again.pid != worker.pid
        assert run.status == "running"

        def exactly_its_own_is_held() -> bool:
            shown = free_of_ray(session)
            return bool(shown["free"]["CPU"] == pytest.approx(shown["all"]["CPU"] - 0.5))

        # What the runs before it held is given back a moment after them, and Ray tells of it later still.
        wait_until(exactly_its_own_is_held, 30, "Ray holds what the run declares, once")


FREE = """
import json, sys, ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="error", configure_logging=False)
print(json.dumps({"all": ray.cluster_resources(), "free": ray.available_resources()}))
"""


def as_driver(session: TestSession, code: str, token: Path) -> subprocess.CompletedProcess[str]:
    """Run a program that joins the server's Ray."""
    gcs = (session.data_dir.ray_temp / "ray_current_cluster").read_text().strip()
    ray = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    return subprocess.run(
        [sys.executable, "-c", code, gcs],
        env={**os.environ, **ray}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def free_of_ray(session: TestSession) -> dict[str, Any]:
    """Return what Ray itself has, and has left."""
    done = as_driver(session, FREE, session.data_dir.ray_token_file)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_manager_that_hangs_is_shown_and_reads_go_on(ray_yard: tuple[TestSession, Ground]) -> None:
    session, ground = ray_yard
    token = session.data_dir.token()
    headers = {"Authorization": f"Bearer {token}"}
    with going(session, ground) as run:
        manager = manager_process(session)
        with httpx.Client(base_url=session.server()["url"], headers=headers, trust_env=False) as http:
            began = time.monotonic()
            manager.suspend()
            try:
                assert http.get("/readyz", timeout=RED_SECONDS).status_code == 503
                assert time.monotonic() - began < RED_SECONDS
                assert http.get("/healthz", timeout=5).status_code == 200
                shown = http.get(f"/api/runs/{run.run_id}", timeout=5).json()
                assert shown["status"] == "running"
            finally:
                manager.resume()
            wait_until(lambda: http.get("/readyz", timeout=30).status_code == 200, 30, "ready again")
        assert manager_process(session).pid == manager.pid, "there is one manager, the same"


def managers(session: TestSession) -> list[psutil.Process]:
    """Return the processes that are a RunManager of this server's Ray."""
    return [process for process in ray_processes(session) if "RunManager" in command_of(process)]


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_manager_that_hangs_for_long_is_replaced_and_does_no_harm_when_it_goes_on(
    ray_yard: tuple[TestSession, Ground],
) -> None:
    session, ground = ray_yard
    with going(session, ground) as run:
        (held,) = managers(session)
        held.suspend()
        try:
            wait_until(
                lambda: active(session) == 1, 2 * BACK_SECONDS, "another manager has taken the run over"
            )
        finally:
            with suppress(psutil.NoSuchProcess):
                held.resume()
        wait_until(lambda: len(managers(session)) == 1, BACK_SECONDS, "there is one manager")
        assert held not in managers(session)
        assert late(session, ground).wait(BACK_SECONDS).exit_code == 3
        assert run.status == "running"


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Ray has this storage on Linux")
def test_a_gcs_that_keeps_its_tables_on_disk_is_started_again_and_nobody_else_is() -> None:
    settings = f'max_concurrent_runs = {SLOTS}\ncpu_busy_percent = 0\nray_gcs_storage = "rocksdb"\n'
    with (
        tempfile.TemporaryDirectory(prefix="ry-ground-") as folder,
        embedded(settings) as session,
    ):
        ground = Ground(Path(folder))
        with going(session, ground) as run:
            before = [*managers(session), raylet(session)]
            (gcs,) = ray_processes(session, "gcs_server")
            gcs.kill()
            gcs.wait(10)
            began = time.monotonic()
            assert late(session, ground).wait(BACK_SECONDS).exit_code == 3, "new work is done meanwhile"
            wait_until(lambda: ray_processes(session, "gcs_server"), BACK_SECONDS, "it is started again")
            # What needs the GCS: a worker of a shape that there was none of
            shape = session.submit({"command": ground.command("sys.exit(5)"), "num_cpus": 0.3}, None)
            assert shape.wait(BACK_SECONDS).exit_code == 5
            print(f"all was as before after {time.monotonic() - began:.1f} s")
            assert [*managers(session), raylet(session)] == before
            assert run.status == "running"


JOIN = """
import sys, time
import grpc, ray
from runyard_cluster.errors import UnavailableError
from runyard_cluster.ray_head import join
began = time.monotonic()
try:
    join(sys.argv[1])
except UnavailableError as error:
    print(f"{time.monotonic() - began:.1f}", error)
"""


@pytest.mark.parametrize("content", ["0" * 64, None], ids=["another one", "none"])
def test_a_ray_token_that_does_not_fit_is_told_in_words_at_once(
    content: str | None, ray_yard: tuple[TestSession, Ground], tmp_path: Path
) -> None:
    session, _ = ray_yard
    wrong = tmp_path / "token"
    if content:
        wrong.write_text(content)
    done = as_driver(session, JOIN, wrong)
    seconds, _, words = done.stdout.strip().partition(" ")
    assert str(wrong) in words, done.stdout + done.stderr
    assert float(seconds) < TOLD_SECONDS


@pytest.mark.parametrize("content", ["0" * 64, None], ids=["changed", "removed"])
def test_a_ray_token_whose_file_is_gone_or_changed_is_back_before_it_is_missed(
    content: str | None, ray_yard: tuple[TestSession, Ground]
) -> None:
    session, ground = ray_yard
    file = session.data_dir.ray_token_file
    token = file.read_text()
    with going(session, ground):
        file.unlink()
        if content:
            file.write_text(content)
        wait_until(lambda: file.exists() and file.read_text() == token, 60, "the token is back")
        assert late(session, ground).wait(BACK_SECONDS).exit_code == 3


def test_a_ray_token_that_was_removed_with_ray_itself_is_there_for_the_next_ray(
    ray_yard: tuple[TestSession, Ground],
) -> None:
    session, ground = ray_yard
    with going(session, ground):
        session.data_dir.ray_token_file.unlink()
        raylet(session).kill()
        assert late(session, ground).wait(BACK_SECONDS).exit_code == 3
