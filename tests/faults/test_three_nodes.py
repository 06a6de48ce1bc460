"""Links to a node are cut and heal again, under a real Ray of three nodes: what is lost, and what is not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.faults.three_nodes import ThreeNodes, processes_of, three_nodes
from tests.in_network import in_network
from tests.support import wait_until

pytestmark = pytest.mark.timeout(600)


@pytest.mark.long
@in_network
def test_a_batch_over_three_nodes_loses_what_ran_on_the_one_that_is_cut_off(tmp_path: Path) -> None:
    with three_nodes(tmp_path, node_timeout=15) as yard:
        # Given a batch over three nodes, every other run of which may be retried
        batch = yard.session.submit_batch({"runs": [yard.held(max_retries=n % 2) for n in range(36)]}, None)
        wait_until(
            lambda: sum(run.status == "running" for run in batch.runs) == 6, 120, "all slots are taken"
        )
        at = {run.run_id: run.fields["node"] for run in batch.runs if run.status == "running"}
        assert sorted(Counter(at.values()).values()) == [2, 2, 2]
        lost = [run_id for run_id, node in at.items() if node == "ws3"]
        wait_until(lambda: all(yard.is_log_here(run_id) for run_id in lost), 30, "their logs are here")
        # When one of them is cut off, and the others go on
        yard.wire.cut(3)
        yard.open_gate("head", "ws2")
        wait_until(lambda: not any(_is_first(yard, r) for r in lost), 60, "it is lost")
        batch.wait(180)
        # Then only what ran there has failed, and only what asked for it was tried again
        for run in batch.runs:
            may_retry = run.fields["max_retries"] == 1
            attempts = yard.session.client.attempts(run.run_id)
            if run.run_id not in lost:
                assert (run.status, len(attempts), run.exit_code) == ("completed", 1, 0)
            elif may_retry:
                assert (run.status, len(attempts), attempts[0]["reason"]) == ("completed", 2, "node_lost")
            else:
                assert (run.status, run.fields["reason"], len(attempts)) == ("failed", "node_lost", 1)
            assert run.status == "failed" or run.log().endswith("\nend\n")
        assert [yard.session.client.log(r, attempt=1) for r in lost] == [b"ws3\n"] * 2
        # And what still goes on there ends when it is back, before anything new starts on it
        assert all(processes_of(run_id) for run_id in lost)
        yard.wire.heal(3)
        wait_until(lambda: yard.is_up("ws3"), 120, "the node is back")
        assert not any(processes_of(run_id) for run_id in lost)
        yard.open_gate("ws3")
        assert yard.session.submit(yard.held(node="ws3"), None).wait(120).exit_code == 0
        assert yard.verdict().is_good, yard.verdict()


def _is_first(yard: ThreeNodes, run_id: str) -> bool:
    run = yard.session.client.run(run_id)
    return run["status"] == "running" and run["attempt"] == 1


@pytest.mark.long
@in_network
def test_a_node_that_is_back_in_time_goes_on_with_the_same_processes(tmp_path: Path) -> None:
    with three_nodes(tmp_path, node_timeout=60) as yard:
        runs = [yard.session.submit(yard.held("sys.exit(5)", node="ws3"), None) for _ in range(2)]
        wait_until(lambda: all(run.status == "running" for run in runs), 60, "they are going")
        # When the link is cut, and heals before the time is over
        yard.wire.cut(3)
        wait_until(lambda: not yard.is_up("ws3"), 30, "it is noticed")
        assert [len(processes_of(run.run_id)) for run in runs] == [1, 1]
        yard.wire.heal(3)
        wait_until(lambda: yard.is_up("ws3"), 120, "the node is back")
        # And when Ray dies there as a whole, and is started again
        yard.far.kill()
        wait_until(lambda: not yard.is_up("ws3"), 30, "it is noticed, too")
        yard.start_far_again()
        wait_until(lambda: yard.is_up("ws3"), 120, "the node is back once more")
        yard.open_gate("ws3")
        assert [run.wait(120).exit_code for run in runs] == [5, 5]
        assert [yard.starts(run.run_id) for run in runs] == [{1: 1}, {1: 1}]
        assert yard.verdict().is_good, yard.verdict()


@pytest.mark.long
@in_network
def test_nothing_is_tried_again_on_a_node_before_what_it_still_runs_has_ended(tmp_path: Path) -> None:
    with three_nodes(tmp_path, node_timeout=12) as yard:
        run = yard.session.submit(yard.held(node="ws3", max_retries=1), None)
        wait_until(lambda: run.status == "running", 60, "it is going")
        # When the node is away for so long that Ray gives it up, and ends itself there once the link is back
        yard.wire.cut(3)
        wait_until(lambda: run.status == "queued", 60, "its node is lost")
        raylet = yard.far.raylet()
        yard.wait_until_ray_gives_up("ws3")
        yard.wire.heal(3)
        wait_until(lambda: not raylet.is_running(), 90, "its Ray ends")
        assert processes_of(run.run_id)
        assert run.status == "queued"
        yard.far.kill()
        yard.start_far_again()
        wait_until(lambda: run.status == "running", 90, "it is tried again")
        # Then the first attempt was ended before the second one started
        wait_until(lambda: yard.starts(run.run_id) == {1: 1, 2: 1}, 30, "the second attempt has started")
        assert not processes_of(run.run_id)
        yard.open_gate("ws3")
        assert run.wait(120).exit_code == 0
        assert yard.verdict().is_good, yard.verdict()


@pytest.mark.long
@in_network
def test_with_fences_an_attempt_on_a_cut_off_node_has_ended_before_the_next_one_starts_elsewhere(
    tmp_path: Path,
) -> None:
    with three_nodes(tmp_path, node_timeout=40, fence_nodes=True) as yard:
        batch = yard.session.submit_batch({"runs": [yard.held(max_retries=1) for _ in range(6)]}, None)
        wait_until(lambda: all(run.status == "running" for run in batch.runs), 120, "all slots are taken")
        lost = [run.run_id for run in batch.runs if run.fields["node"] == "ws3"]
        assert len(lost) == 2
        wait_until(lambda: all(yard.starts(run_id) == {1: 1} for run_id in lost), 30, "they have started")
        # When their node is cut off, for as long as anybody looks
        yard.wire.cut(3)
        yard.open_gate("head", "ws2")
        wait_until(lambda: any(2 in yard.starts(run_id) for run_id in lost), 120, "one is tried again")
        # Then nothing of what ran there lives by then
        assert not any(processes_of(run_id) for run_id in lost)
        batch.wait(120)
        for run in batch.runs:
            attempts = yard.session.client.attempts(run.run_id)
            reasons = ["node_lost", None] if run.run_id in lost else [None]
            assert (run.status, [a["reason"] for a in attempts]) == ("completed", reasons)
        yard.wire.heal(3)
        wait_until(lambda: yard.is_up("ws3"), 120, "the node is back")
        assert yard.verdict().is_good, yard.verdict()


@pytest.mark.long
@in_network
def test_a_link_that_works_one_way_only_starts_nothing_twice_and_loses_no_cancel(tmp_path: Path) -> None:
    with three_nodes(tmp_path, node_timeout=60) as yard:
        first, second = (yard.session.submit(yard.held(node="ws3"), None) for _ in range(2))
        wait_until(lambda: {first.status, second.status} == {"running"}, 60, "they are going")
        # When the node hears what is said to it, and nobody hears the node
        yard.wire.cut_from(3)
        wait_until(lambda: not yard.is_up("ws3"), 30, "it is noticed")
        yard.session.client.cancel(first.run_id, "enough")
        third = yard.session.submit(yard.held(node="ws3"), None)
        wait_until(lambda: third.fields["waiting_for"], 30, "nothing starts there")
        assert first.status == "running"
        yard.wire.heal(3)
        assert first.wait(120).fields["reason_detail"] == "enough"
        yard.open_gate("ws3")
        assert [run.wait(120).status for run in (second, third)] == ["completed"] * 2
        assert [yard.starts(run.run_id) for run in (first, second, third)] == [{1: 1}] * 3
        assert yard.verdict().is_good, yard.verdict()


@pytest.mark.long
@in_network
def test_a_slow_network_makes_runs_slower_and_nothing_else(tmp_path: Path) -> None:
    with three_nodes(tmp_path, node_timeout=12) as yard:
        # Given 200 ms there and back
        yard.wire.delay(0.1)
        yard.open_gate("head", "ws2", "ws3")
        batch = yard.session.submit_batch({"runs": [yard.held() for _ in range(30)]}, None)
        batch.wait(240)
        assert Counter((run.status, run.fields["attempt"]) for run in batch.runs) == {("completed", 1): 30}
        assert len({run.fields["node"] for run in batch.runs}) == 3
        for run in batch.runs:
            assert run.log().endswith("\nend\n")
        assert yard.is_up("ws2")
        assert yard.is_up("ws3")
        assert yard.verdict().is_good, yard.verdict()
