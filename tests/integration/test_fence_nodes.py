"""F19: with `fence_nodes`, what a cut-off node runs has ended before it is tried again elsewhere.

Real agents, shims and processes; only Ray is left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runyard.run import Run
from runyard.session import Session
from runyard_actors.attempt_file import RECORD
from runyard_actors.run_folder import RunFolder
from tests.fake_cluster import FakeCluster
from tests.integration.test_other_nodes import is_up, waiting, yard
from tests.support import lines_of, python, wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="asks for a process by a signal")

#: Seconds of silence after which a node is lost: half of that between the first attempt's end and the second's start.
TIMEOUT = 20

#: Fails if the first attempt lives when the second one starts.
_ALONE = """
import os, sys, time
pid_file = {!r}
if os.environ["RUNYARD_ATTEMPT"] == "1":
    with open(pid_file + "~", "w") as file:
        file.write(str(os.getpid()))
    os.rename(pid_file + "~", pid_file)
    time.sleep(600)
with open(pid_file) as file:
    first = int(file.read())
try:
    os.kill(first, 0)
except ProcessLookupError:
    sys.exit(0)
sys.exit("the first attempt is alive")
"""


def started_on(session: Session, node: str, command: list[str]) -> Run:
    """Submit a run that may be tried again anywhere, and have it begin on this node."""
    others = [n["node"] for n in session.client.resources()["nodes"] if n["node"] != node]
    for name in others:
        session.client.drain(name)
    run = session.submit({"command": command, "num_cpus": 1, "max_retries": 1}, None)
    wait_until(lambda: run.status == "running", 30, "it is going")
    for name in others:
        session.client.undrain(name)
    return run


@pytest.mark.parametrize("way", ["is_cut", "is_mute"])
def test_what_a_cut_off_node_runs_has_ended_before_it_is_tried_again_elsewhere(
    way: str, tmp_path: Path
) -> None:
    cluster, gate, starts = (
        FakeCluster(tmp_path / "nodes", ws2=2, ws3=2),
        tmp_path / "gate",
        tmp_path / "starts",
    )
    with yard(tmp_path, cluster, node_timeout=TIMEOUT, fence_nodes=True) as (_, session):
        pid_file = tmp_path / "pid"
        lost = started_on(session, "ws2", python(_ALONE.format(str(pid_file))))
        other = started_on(session, "ws3", waiting(starts, gate))
        wait_until(pid_file.exists, 30, "the first attempt has told its pid")
        # When a node is cut off, or hears and is not heard
        setattr(cluster.by_name["ws2"], way, True)
        # Then its run ends there, and only then is it tried again, elsewhere
        assert lost.wait(120).status == "completed"
        first, second = session.client.attempts(lost.run_id)
        assert (first["node"], first["reason"]) == ("ws2", "node_lost")
        assert second["node"] != "ws2"
        # And a node that is in contact all the time goes on for longer than that
        gate.touch()
        assert other.wait(60).exit_code == 0
        assert list(lines_of(starts)) == ["1"]


def test_a_fenced_run_whose_node_is_back_in_time_says_why_it_was_ended(tmp_path: Path) -> None:
    cluster, gate, starts = FakeCluster(tmp_path / "nodes", ws2=2), tmp_path / "gate", tmp_path / "starts"
    with yard(tmp_path, cluster, node_timeout=TIMEOUT, fence_nodes=True) as (_, session):
        run = session.submit({"command": waiting(starts, gate), "num_cpus": 1, "node": "ws2"}, None)
        wait_until(lambda: list(lines_of(starts)) == ["1"], 30, "it is going")
        there = tmp_path / "nodes" / "ws2"
        cluster.by_name["ws2"].is_cut = True
        wait_until(
            lambda: any(RunFolder(f.parent).exit() for f in there.rglob(RECORD)),
            60,
            "its supervisor ended it",
        )
        cluster.by_name["ws2"].is_cut = False
        ended = run.wait(60)
        assert (ended.status, ended.fields["reason"], ended.fields["ended_by"]) == (
            "failed",
            "node_lost",
            "node",
        )
        wait_until(lambda: is_up(session, "ws2"), 30, "the node is there")
        gate.touch()
        again = session.submit({"command": waiting(starts, gate), "num_cpus": 1, "node": "ws2"}, None)
        assert again.wait(60).exit_code == 0
