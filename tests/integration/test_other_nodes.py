"""Other nodes with real agents, shims and processes; only Ray is left out, so that links can be cut at will."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runyard.session import Session
from runyard_actors.manager import follow_nodes
from runyard_cluster.errors import InvalidRequestError, NotFoundError, ResourceLimitError
from tests.fake_cluster import FakeCluster
from tests.in_process import InProcess, in_process
from tests.support import lines_of, processes_with, python, wait_until

#: Seconds of silence after which a node is lost; the least that is taken.
TIMEOUT = 10


@contextmanager
def yard(
    tmp_path: Path, cluster: FakeCluster, *, is_awaited: bool = True, **settings: Any
) -> Iterator[tuple[InProcess, Session]]:
    """Serve with other nodes, and wait until they are there, unless told not to."""
    settings = {"ray_address": "auto", "node_timeout": TIMEOUT, **settings}
    with (
        in_process(tmp_path, cluster=cluster, **settings) as server,
        server.session() as session,
    ):
        if is_awaited:
            wait_until(lambda: all(is_up(session, name) for name in cluster.by_name), 20, "the nodes are up")
        try:
            yield server, session
        finally:
            server.call(server.manager.cancel(list(server.manager._yard.active), "the test is over"))
            wait_until(lambda: not server.manager._yard.active, 30, "all runs have ended")
            server.call(cluster.close())


def guard(session: Session, name: str) -> str | None:
    return next(n["guard"] for n in session.client.resources()["nodes"] if n["node"] == name)


def is_up(session: Session, name: str) -> bool:
    found = {n["node"]: n for n in session.client.resources()["nodes"]}
    return name in found and found[name]["guard"] is None


def noting(starts: Path, then: str = "") -> list[str]:
    starts.mkdir(exist_ok=True)
    return python(
        "import os, sys, time\n"
        f"path = os.path.join({str(starts)!r}, os.environ['RUNYARD_RUN_ID'])\n"
        f"open(path, 'a').write(os.environ['RUNYARD_ATTEMPT'] + '\\n')\n{then}"
    )


def waiting(starts: Path, gate: Path, then: str = "") -> list[str]:
    return noting(starts, f"while not os.path.exists({str(gate)!r}): time.sleep(0.02)\n{then}")


def test_a_run_starts_on_the_node_it_names_and_is_refused_where_it_never_can(tmp_path: Path) -> None:
    cluster = FakeCluster(tmp_path / "nodes", ws2=2, ws3=1)
    with yard(tmp_path, cluster) as (_, session):
        runs = [
            session.submit({"command": python("print(1)"), "num_cpus": 1, "node": n}, None)
            for n in ("ws2", "ws3", "here")
        ]
        assert [run.wait(30).fields["node"] for run in runs] == ["ws2", "ws3", "here"]
        assert [session.client.log(run.run_id) for run in runs] == [b"1\n"] * 3
        assert runs[0].fields["wanted_node"] == "ws2"
        with pytest.raises(
            ResourceLimitError, match="node ws3 could never hold it: 2 CPUs: most on one node is 1 CPU"
        ):
            session.submit({"command": ["true"], "num_cpus": 2, "node": "ws3"}, None)
        with pytest.raises(
            ResourceLimitError, match="no node is called 'ws4'; those that are up: here, ws2, ws3"
        ):
            session.submit({"command": ["true"], "node": "ws4"}, None)


def test_a_run_starts_on_a_node_that_its_selector_means(tmp_path: Path) -> None:
    cluster = FakeCluster(tmp_path / "nodes", ws2=2, ws3=1)
    cluster.label("ws2", zone="attic", kind="large")
    cluster.label("ws3", zone="attic")
    what = {"command": python("print(1)"), "num_cpus": 1}
    with yard(tmp_path, cluster) as (_, session):
        # Given nodes that say what they are, each run is where one is like it says
        chosen = {"zone=attic,kind=large": "ws2", "zone=attic,kind!=large": "ws3", "zone!=attic": "here"}
        runs = {node: session.submit({**what, "node": node}, None) for node in chosen}
        assert {node: run.wait(30).fields["node"] for node, run in runs.items()} == chosen
        assert runs["zone!=attic"].fields["wanted_node"] == "zone!=attic"
        labels = {node["node"]: node["labels"] for node in session.client.resources()["nodes"]}
        assert labels["ws2"] == {"zone": "attic", "kind": "large", "name": "ws2"}
        # What no node can ever be, and what is no selector, is refused in words
        with pytest.raises(
            ResourceLimitError, match=r"no node has zone=cellar; labels of those .*zone=attic"
        ):
            session.submit({**what, "node": "zone=cellar"}, None)
        with pytest.raises(ResourceLimitError, match="no node with zone=attic could ever hold it: 3 CPUs"):
            session.submit({**what, "num_cpus": 3, "node": "zone=attic"}, None)
        with pytest.raises(InvalidRequestError, match="'zone=' selects no nodes: write it as key=value"):
            session.submit({**what, "node": "zone="}, None)
        # And one that waits says for what
        session.client.drain("ws2")
        waits = session.submit({**what, "node": "kind=large"}, None)
        assert "drained" in str(session.client.run(waits.run_id)["waiting_for"])
        session.client.undrain("ws2")
        assert waits.wait(30).fields["node"] == "ws2"
        again = session.restart(waits, {"node": "kind!=large,name=ws*"})
        assert again.wait(30).fields["node"] == "ws3"


def test_what_only_a_node_can_hold_that_is_about_to_be_taken_in_is_not_refused(tmp_path: Path) -> None:
    cluster = FakeCluster(tmp_path / "nodes", ws2=2)
    # Given a server that has just started, and a node that is slow to say what it is
    cluster.by_name["ws2"].delay_seconds = 0.5
    with yard(tmp_path, cluster, is_awaited=False) as (_, session):
        run = session.submit({"command": python("print(1)"), "num_cpus": 1, "node": "ws2"}, None)
        assert run.wait(60).fields["node"] == "ws2"


def test_a_node_that_does_not_come_delays_a_refusal_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_nodes, "ARRIVAL_SECONDS", 1.0)
    cluster = FakeCluster(tmp_path / "nodes", ws2=2)
    cluster.by_name["ws2"].is_cut = True
    with yard(tmp_path, cluster, is_awaited=False) as (_, session):
        with pytest.raises(ResourceLimitError, match="no node is called 'ws9'"):
            session.submit({"command": ["true"], "node": "ws9"}, None)
        assert session.submit({"command": python("print(1)"), "node": "here"}, None).wait(30).exit_code == 0


def test_nothing_starts_on_a_drained_node_and_what_runs_there_goes_on(tmp_path: Path) -> None:
    cluster, gate, starts = FakeCluster(tmp_path / "nodes", ws2=2), tmp_path / "gate", tmp_path / "starts"
    with yard(tmp_path, cluster) as (_, session):
        first = session.submit({"command": waiting(starts, gate), "num_cpus": 1, "node": "ws2"}, None)
        wait_until(lambda: first.status == "running", 20, "it is going")
        assert session.client.drain("ws2") == {"node": "ws2", "is_drained": True}
        second = session.submit({"command": noting(starts), "num_cpus": 1, "node": "ws2"}, None)
        words = "drained; `runyard undrain ws2` lets runs start there again (ws2)"
        assert session.client.run(second.run_id)["waiting_for"] == words
        gate.touch()
        assert first.wait(20).exit_code == 0
        assert second.status == "queued"
        with pytest.raises(NotFoundError, match="no node is called 'ws9'; known: here, ws2"):
            session.client.drain("ws9")
        session.client.undrain("ws2")
        assert second.wait(20).fields["node"] == "ws2"


def test_a_node_that_is_back_in_time_goes_on_with_the_same_process(tmp_path: Path) -> None:
    cluster, gate, starts = FakeCluster(tmp_path / "nodes", ws2=2), tmp_path / "gate", tmp_path / "starts"
    with yard(tmp_path, cluster) as (server, session):
        run = session.submit(
            {"command": waiting(starts, gate, "sys.exit(5)"), "num_cpus": 1, "node": "ws2"}, None
        )
        wait_until(lambda: run.status == "running", 20, "it is going")
        cut = cluster.by_name["ws2"]
        cut.is_cut = True
        wait_until(lambda: guard(session, "ws2"), 20, "it is noticed")
        # Cut off, it also loses its agent; and a cancel of another run waits for it.
        server.call(cut.kill_agent())
        gate.touch()
        cut.is_cut = False
        assert run.wait(30).exit_code == 5
        assert list(lines_of(starts)) == ["1"]


def test_what_a_lost_node_still_runs_ends_before_anything_new_starts_there(tmp_path: Path) -> None:
    cluster, gate, starts = FakeCluster(tmp_path / "nodes", ws2=2), tmp_path / "gate", tmp_path / "starts"
    with yard(tmp_path, cluster) as (_, session):
        command = waiting(starts, gate)
        once = session.submit({"command": command, "num_cpus": 1, "node": "ws2"}, None)
        again = session.submit({"command": command, "num_cpus": 1, "node": "ws2", "max_retries": 1}, None)
        wait_until(lambda: {once.status, again.status} == {"running"}, 20, "both are going")
        cluster.by_name["ws2"].is_cut = True
        ended = once.wait(30)
        assert (ended.status, ended.fields["reason"], ended.fields["ended_by"]) == (
            "failed",
            "node_lost",
            "node",
        )
        wait_until(lambda: again.status == "queued", 10, "the other one is to be tried again")
        assert session.client.run(again.run_id)["waiting_for"] == "node ws2 is not up"
        assert len(alive(once.run_id)) == len(alive(again.run_id)) == 1
        cluster.by_name["ws2"].is_cut = False
        wait_until(
            lambda: again.status == "running" and again.fields["attempt"] == 2, 30, "it is tried again"
        )
        assert not alive(once.run_id)
        assert [p.environ()["RUNYARD_ATTEMPT"] for p in alive(again.run_id)] == ["2"]
        gate.touch()
        assert again.wait(20).exit_code == 0
        assert sorted(lines_of(starts)) == ["1", "1", "2"]


def alive(run_id: str) -> list[Any]:
    return processes_with({"RUNYARD_RUN_ID": run_id})


def test_a_cancel_reaches_a_node_once_it_is_heard_of(tmp_path: Path) -> None:
    cluster, gate, starts = FakeCluster(tmp_path / "nodes", ws2=2), tmp_path / "gate", tmp_path / "starts"
    with yard(tmp_path, cluster) as (_, session):
        run = session.submit({"command": waiting(starts, gate), "num_cpus": 1, "node": "ws2"}, None)
        wait_until(lambda: run.status == "running", 20, "it is going")
        cluster.by_name["ws2"].is_cut = True
        wait_until(lambda: guard(session, "ws2"), 20, "it is noticed")
        session.client.cancel(run.run_id, "enough")
        assert run.status == "running"
        cluster.by_name["ws2"].is_cut = False
        ended = run.wait(20)
        assert (ended.status, ended.fields["reason_detail"]) == ("cancelled", "enough")


def test_suspend_and_resume_reach_another_node(tmp_path: Path) -> None:
    cluster, gate, starts = FakeCluster(tmp_path / "nodes", ws2=2), tmp_path / "gate", tmp_path / "starts"
    with yard(tmp_path, cluster) as (_, session):
        run = session.submit({"command": waiting(starts, gate), "num_cpus": 1, "node": "ws2"}, None)
        wait_until(lambda: run.status == "running", 20, "it is going")
        session.client.suspend(run.run_id)
        assert session.client.run(run.run_id)["suspended"]
        gate.touch()
        session.client.resume(run.run_id)
        assert run.wait(20).exit_code == 0


def test_runs_on_other_nodes_are_warned_of_before_their_limits_of_memory_and_time(tmp_path: Path) -> None:
    cluster, gate, starts = FakeCluster(tmp_path / "nodes", ws2=3), tmp_path / "gate", tmp_path / "starts"
    with yard(tmp_path, cluster) as (_, session):
        command = waiting(starts, gate)
        hungry = [*command[:-1], "held = b'x' * 85_000_000\n" + command[-1]]
        asked = {"num_cpus": 0.2, "node": "ws2"}
        large = session.submit({**asked, "command": hungry, "memory": 100_000_000}, None)
        small = session.submit({**asked, "command": command, "memory": 100_000_000}, None)
        slow = session.submit({**asked, "command": command, "timeout": 20, "memory": "64MiB"}, None)
        wait_until(lambda: large.fields["warning"], 60, "its memory is told of")
        assert "% of its limit of 95.4 MiB" in str(large.fields["warning"])
        wait_until(lambda: slow.fields["warning"], 60, "its time is told of")
        assert "% of its timeout of 20 s" in str(slow.fields["warning"])
        assert small.fields["warning"] is None
        gate.touch()
        assert [run.wait(30).status for run in (large, small)] == ["completed"] * 2
