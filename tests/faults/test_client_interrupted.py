"""F48: whoever runs `runyard run` may press Ctrl-C, end it, or kill it; only the last leaves the run alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.oracle import Ground
from tests.in_process import InProcess, in_process
from tests.rest import wait_ended
from tests.support import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("server")) as found:
        yield found


#: Says that it goes on, so that whoever reads it knows that the client follows the run; then waits for the gate.
THEN = "print('ready', flush=True)\nwhile not os.path.exists(sys.argv[2]): time.sleep(0.02)\nsys.exit(7)"


def going(server: InProcess, ground: Ground) -> tuple[subprocess.Popen[bytes], str]:
    """Start `runyard run` as a shell would; return it and its run's id once that goes on."""
    client = subprocess.Popen(
        [sys.executable, "-m", "runyard", "run", "--", *ground.command(THEN)],
        env={**os.environ, "RUNYARD_URL": server.url, "RUNYARD_TOKEN": server.token},
        start_new_session=True,
        stdout=subprocess.PIPE,
    )

    assert client.stdout is not None
    assert client.stdout.readline() == b"ready\n"
    ((run_id, _),) = ground.noted()
    return client, run_id


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_an_interrupted_client_cancels_its_run_and_a_killed_one_leaves_it(
    number: signal.Signals, server: InProcess, tmp_path: Path
) -> None:
    ground = Ground(tmp_path)
    with server.http() as http:
        client, run_id = going(server, ground)
        client.send_signal(number)
        client.communicate(timeout=120)
        if number == signal.SIGKILL:
            # That a process runs is recorded in a moment, together with others.
            wait_until(
                lambda: http.get(f"/api/runs/{run_id}").json()["status"] != "queued", 20, "it is known"
            )
            assert http.get(f"/api/runs/{run_id}").json()["status"] == "running"
            ground.gate.touch()
            assert wait_ended(http, run_id)["exit_code"] == 7
            return
        assert client.returncode == 130
        ended = wait_ended(http, run_id)
        assert (ended["status"], ended["reason"]) == ("cancelled", "cancelled_by_user")
