"""Several nodes: runs on another one, their logs, and what is left of them when it is lost. Real Ray, three nodes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from runyard.session import Session
from runyard.yard import find_or_start
from runyard_cluster.process import is_locked
from tests.integration.conftest import TestSession, embedded
from tests.ray_cluster import RayCluster, ray_cluster
from tests.support import python, wait_until

pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux", reason="several loopback addresses, on which nodes are told apart"
    ),
    pytest.mark.timeout(400),
]

SETTINGS = 'ray_address = "{}"\nnode_timeout = "12s"\ncpu_busy_percent = 0\nreserve_memory = "64MiB"\n'


@contextmanager
def yard(cluster: RayCluster) -> Iterator[TestSession]:
    with embedded(SETTINGS.format(cluster.gcs)) as session:
        yield session


def nodes(session: Session) -> dict[str, dict[str, Any]]:
    return {node["node"]: node for node in session.client.resources()["nodes"]}


def is_up(session: Session, name: str) -> bool:
    node = nodes(session).get(name)
    return node is not None and node["guard"] is None


def waiting(gate: Path, then: str = "") -> list[str]:
    code = "import os, sys, time; print('on', os.environ.get('WHERE'), flush=True)\n"
    return python(f"{code}while not os.path.exists({str(gate)!r}): time.sleep(0.02)\n{then}")


def test_a_run_on_another_node_its_log_and_the_loss_of_the_node(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with ray_cluster(head_cpus=0) as cluster, yard(cluster) as session:
        own = tmp_path / "own-disk"
        second = cluster.start_node(
            "second", cpus=2, labels="zone=attic", RUNYARD_DATA_DIR=str(own), WHERE="second"
        )
        wait_until(lambda: is_up(session, "second"), 90, "the second node has joined by itself")
        assert nodes(session)["second"]["labels"]["zone"] == "attic"
        # Given a run that only the second node has room for, which it is also selected by
        command = waiting(gate, "print('end'); sys.exit(3)")
        run = session.submit({"command": command, "num_cpus": 1, "node": "zone=attic"}, None)
        wait_until(lambda: run.status == "running", 60, "the run is going")
        assert run.fields["node"] == "second"
        # Its log can be read while it is written on a disk that the manager does not see
        wait_until(lambda: session.client.log(run.run_id) == b"on second\n", 30, "its log is here")
        assert list(own.rglob("output.log"))
        # And what it uses is known, by what the agent there measures
        wait_until(lambda: [u["memory"] > 0 for u in session.client.usage()["runs"]] == [True], 30, "its use")
        gate.touch()
        assert run.wait(60).exit_code == 3
        assert session.client.log(run.run_id) == b"on second\nend\n"
        # When one is going and its node is lost with Ray, the run has failed, and is not started again
        gate.unlink()
        lost = session.submit({"command": waiting(gate), "num_cpus": 1}, None)
        wait_until(lambda: lost.status == "running", 60, "the next run is going")
        pid = lost.fields["pid"]
        second.kill()
        ended = lost.wait(120)
        assert (ended.status, ended.fields["reason"], ended.fields["attempt"]) == ("failed", "node_lost", 1)
        # And what of it still goes on ends when the node is back
        assert psutil.pid_exists(pid)
        cluster.start_again(second, "second", cpus=2)
        wait_until(lambda: not psutil.pid_exists(pid), 90, "what was given up has ended")
        wait_until(lambda: is_up(session, "second"), 60, "the node is back")
        again = session.submit({"command": python("print(1)"), "num_cpus": 1}, None)
        assert again.wait(60).exit_code == 0
    assert not os.path.exists(cluster.folder)


def test_a_cluster_has_one_yard_and_a_new_server_of_it_brings_its_settings(tmp_path: Path) -> None:
    with ray_cluster(head_cpus=2) as cluster, yard(cluster) as session:
        # A server of another data folder does not take this one's manager for its own
        other = tmp_path / "runyard.toml"
        other.write_text(f'data_dir = "{tmp_path / "data"}"\nray_address = "{cluster.gcs}"\n')
        command = [sys.executable, "-m", "runyard", "--config", str(other), "up", "--port", "0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 1, done.stderr
        assert f"has a RunManager already, that of the data folder {session.data_dir.path} on" in done.stderr
        assert session.server()["url"] in done.stderr
        run = session.submit({"command": waiting(tmp_path / "gate", "sys.exit(3)"), "num_cpus": 1}, None)
        wait_until(lambda: run.status == "running", 60, "the first one goes on")
        # When its server is killed, the next one replaces the manager that goes by earlier settings
        config = session.data_dir.path.parent / "runyard.toml"
        config.write_text(config.read_text() + "max_concurrent_runs = 3\n")
        os.kill(session.server()["pid"], signal.SIGKILL)
        wait_until(lambda: not is_locked(session.data_dir.server_lock), 20, "the server is gone")
        with find_or_start(config, None) as client:
            (tmp_path / "gate").touch()
            assert client.resources()["semaphore"]["max_concurrent_runs"] == 3
            assert client.wait([run.run_id], timeout=60)[0]["exit_code"] == 3
            assert client.run(run.run_id)["attempt"] == 1
