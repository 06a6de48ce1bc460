"""Links to other nodes that are bad: answers that get lost, a slow network, a loss in the middle of a return.

Real agents, shims and processes; only Ray is left out.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from pathlib import Path

import pytest

from runyard_actors.manager import follow_nodes
from runyard_actors.nodes import actor
from runyard_actors.run_folder import RunFolder
from runyard_actors.stopping import StopOrder
from runyard_actors.store.errors import StoreTakenOver
from runyard_cluster.errors import UnavailableError
from tests.fake_cluster import FakeCluster
from tests.in_process import in_process
from tests.integration.test_other_nodes import alive, guard, is_up, noting, waiting, yard
from tests.support import lines_of, wait_until


def test_answers_that_get_lost_start_nothing_twice_and_lose_no_end_and_no_cancel(tmp_path: Path) -> None:
    cluster, gate, starts = FakeCluster(tmp_path / "nodes", ws2=3), tmp_path / "gate", tmp_path / "starts"
    with yard(tmp_path, cluster, node_timeout=120) as (_, session):
        one, two = (
            session.submit({"command": waiting(starts, gate), "num_cpus": 1, "node": "ws2"}, None)
            for _ in range(2)
        )
        wait_until(lambda: {one.status, two.status} == {"running"}, 20, "they are going")
        wait_until(lambda: list(lines_of(starts)) == ["1", "1"], 20, "both have noted their start")
        # When the node is heard no more, while one is cancelled and the other ends
        cluster.by_name["ws2"].is_mute = True
        session.client.cancel(one.run_id, "enough")
        wait_until(lambda: guard(session, "ws2"), 20, "it is noticed")
        gate.touch()
        wait_until(lambda: not alive(two.run_id), 30, "it ended there")
        assert two.status == "running"
        # Then both ends are known once the node is heard again
        cluster.by_name["ws2"].is_mute = False
        assert two.wait(20).exit_code == 0
        assert one.wait(20).status == "cancelled"
        assert list(lines_of(starts)) == ["1", "1"]


def test_a_cancel_that_a_node_has_no_room_for_is_tried_again_and_the_node_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, gate, starts = FakeCluster(tmp_path / "nodes", ws2=3), tmp_path / "gate", tmp_path / "starts"
    tries: list[str] = []

    def full(folder: RunFolder, order: StopOrder, *, is_started: bool) -> None:
        tries.append(order.key[0])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with yard(tmp_path, cluster) as (server, session):
        one, two = (
            session.submit({"command": waiting(starts, until), "num_cpus": 1, "node": "ws2"}, None)
            for until in (tmp_path / "never", gate)
        )
        wait_until(lambda: {one.status, two.status} == {"running"}, 20, "they are going")
        with monkeypatch.context() as patch:
            patch.setattr(actor, "stop_attempt", full)
            session.client.cancel(one.run_id, "enough")
            wait_until(lambda: len(tries) > 1, 20, "it is tried again")
            # And a node that is found anew meanwhile counts all the same
            cluster.come_again("ws2")
            known = server.manager._yard.others["ws2"]
            wait_until(lambda: known.ray_id == cluster.by_name["ws2"].node.ray_id, 20, "it is found anew")
            wait_until(lambda: is_up(session, "ws2"), 20, "the node is there")
            gate.touch()
            assert two.wait(20).exit_code == 0
            assert set(tries) == {one.run_id}
        assert one.wait(20).status == "cancelled"


def test_a_run_there_whose_folder_is_gone_can_be_cancelled(tmp_path: Path) -> None:
    cluster, gate, starts = FakeCluster(tmp_path / "nodes", ws2=3), tmp_path / "gate", tmp_path / "starts"
    with yard(tmp_path, cluster) as (_, session):
        run = session.submit({"command": waiting(starts, gate), "num_cpus": 1, "node": "ws2"}, None)
        wait_until(lambda: run.status == "running", 20, "it is going")
        (folder,) = (tmp_path / "nodes").rglob(run.run_id)
        shutil.rmtree(folder)
        session.client.cancel(run.run_id, "enough")
        assert run.wait(30).status == "cancelled"
        assert not alive(run.run_id)


def test_a_slow_network_only_makes_it_slower(tmp_path: Path) -> None:
    cluster, starts = FakeCluster(tmp_path / "nodes", ws2=4), tmp_path / "starts"
    cluster.by_name["ws2"].delay_seconds = 0.2
    with yard(tmp_path, cluster) as (_, session):
        rows = [{"command": noting(starts, "print('end')"), "num_cpus": 1, "node": "ws2"} for _ in range(12)]
        batch = session.submit_batch({"runs": rows}, None)
        batch.wait(90)
        assert {(run.status, run.fields["attempt"]) for run in batch.runs} == {("completed", 1)}
        assert {session.client.log(run.run_id) for run in batch.runs} == {b"end\n"}
        assert list(lines_of(starts)) == ["1"] * 12


def test_what_a_lost_run_printed_is_here_before_it_is_lost_and_after_its_node_is_back(tmp_path: Path) -> None:
    cluster, gate, starts = FakeCluster(tmp_path / "nodes", ws2=2), tmp_path / "gate", tmp_path / "starts"
    command = noting(starts, "print('early', flush=True)\n")
    command[-1] += f"while not os.path.exists({str(gate)!r}): time.sleep(0.02)\nprint('late', flush=True)\n"
    command[-1] += "time.sleep(600)"
    with yard(tmp_path, cluster) as (server, session):
        run = session.submit({"command": command, "num_cpus": 1, "node": "ws2"}, None)
        log = server.data_dir.runs / run.run_id[:6] / run.run_id / "1" / "output.log"
        wait_until(lambda: log.exists() and log.read_bytes() == b"early\n", 20, "it is brought unasked")
        cluster.by_name["ws2"].is_cut = True
        gate.touch()
        assert run.wait(30).fields["reason"] == "node_lost"
        assert session.client.log(run.run_id) == b"early\n"
        cluster.by_name["ws2"].is_cut = False
        wait_until(lambda: is_up(session, "ws2"), 30, "the node is back")
        assert session.client.log(run.run_id) == b"early\nlate\n"
        assert not alive(run.run_id)


def test_a_node_that_is_lost_while_it_is_taken_in_ends_what_was_given_up_first(tmp_path: Path) -> None:
    cluster, gate, starts = FakeCluster(tmp_path / "nodes", ws2=2), tmp_path / "gate", tmp_path / "starts"
    with yard(tmp_path, cluster) as (server, session):
        run = session.submit({"command": waiting(starts, gate), "num_cpus": 1, "node": "ws2"}, None)
        wait_until(lambda: run.status == "running", 20, "it is going")
        cut, other = cluster.by_name["ws2"], server.manager._yard.others["ws2"]
        cut.is_cut = True
        wait_until(lambda: guard(session, "ws2"), 20, "it is noticed")
        # Given a node that takes its time while it is asked what it is
        cut.delay_seconds, cut.is_cut = 0.5, False
        wait_until(lambda: other.line.facts and not other.line.is_open.is_set(), 5, "it is being taken in")

        async def lose() -> None:
            follow_nodes.lose(server.manager._yard, other)

        server.call(lose())
        assert run.wait(20).fields["reason"] == "node_lost"
        wait_until(lambda: is_up(session, "ws2"), 30, "the node is back")
        assert not alive(run.run_id)


def test_what_waited_for_a_node_starts_once_it_is_heard_again_on_the_same_line(tmp_path: Path) -> None:
    cluster, starts = FakeCluster(tmp_path / "nodes", ws2=2), tmp_path / "starts"
    with yard(tmp_path, cluster, node_timeout=120) as (_, session):
        # Given a node that takes so long for an answer that it counts as quiet, and not for so long that one is missed
        cluster.by_name["ws2"].delay_seconds = 7.5
        wait_until(lambda: guard(session, "ws2"), 30, "it is noticed")
        cluster.by_name["ws2"].delay_seconds = 0.0
        run = session.submit({"command": noting(starts), "num_cpus": 1, "node": "ws2"}, None)
        assert run.wait(60).exit_code == 0


def test_a_node_that_was_given_up_ends_what_it_runs_even_if_its_line_never_broke(tmp_path: Path) -> None:
    cluster, gate, starts = FakeCluster(tmp_path / "nodes", ws2=2), tmp_path / "gate", tmp_path / "starts"
    with yard(tmp_path, cluster) as (server, session):
        run = session.submit({"command": waiting(starts, gate), "num_cpus": 1, "node": "ws2"}, None)
        wait_until(lambda: run.status == "running", 20, "it is going")

        async def lose() -> None:
            follow_nodes.lose(server.manager._yard, server.manager._yard.others["ws2"])

        server.call(lose())
        assert run.wait(20).fields["reason"] == "node_lost"
        wait_until(lambda: not alive(run.run_id), 30, "it has ended there")
        again = session.submit({"command": noting(starts), "num_cpus": 1, "node": "ws2"}, None)
        assert again.wait(60).exit_code == 0


def test_an_agent_works_for_the_latest_manager_only(tmp_path: Path) -> None:
    cluster = FakeCluster(tmp_path / "nodes", ws2=1)
    node = cluster.by_name["ws2"]

    async def talk() -> None:
        first = await node.call("facts", 3)
        listening = asyncio.create_task(node.call("news", first.incarnation, 0, 5.0))
        second = await node.call("facts", 4)
        assert await node.call("news", second.incarnation, 0, 0.0) == []
        assert await node.call("news", first.incarnation, 0, 0.0) is None
        with pytest.raises(UnavailableError, match="another manager has ws2"):
            await node.call("facts", 3)
        listening.cancel()
        await cluster.close()

    asyncio.run(talk())


def test_a_manager_whose_store_another_one_took_starts_nothing_and_says_so(tmp_path: Path) -> None:
    # Two servers of one folder: a lock forbids them on one machine, and nothing does on disks that cannot lock.
    with (
        in_process(tmp_path) as stale,
        stale.session() as before,
        in_process(tmp_path) as current,
        current.session() as session,
    ):
        with pytest.raises(UnavailableError, match="Another runyard took over this database"):
            before.submit({"command": ["true"]}, None)
        with pytest.raises(StoreTakenOver):
            stale.call(stale.context.manager.ping())
        assert session.submit({"command": ["true"]}, None).wait(20).exit_code == 0
        assert session.client.runs()["total"] == 1
