"""What runs on other nodes use is measured, recorded and held against them as it is here."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pynvml
import pytest

from runyard.run import Run
from runyard.session import Session
from runyard_actors import node_meter, timeline
from runyard_actors.node_meter import NodeMeter
from runyard_actors.nodes import actor
from runyard_actors.timeline import Timeline
from runyard_cluster.capacity import Use
from tests.fake_cgroup import FakeCgroup
from tests.fake_cluster import FakeCluster
from tests.fake_gpus import GIB, FakeGpus, fake_gpus, holder, node
from tests.integration.test_other_nodes import guard, noting, waiting, yard
from tests.support import python, wait_until

MIB = 2**20

#: Holds 64 MiB and a core until it may end.
BUSY = """
import os, sys
held = bytearray(64 << 20)
while not os.path.exists(sys.argv[1]):
    sum(range(10_000))
"""

#: Holds 64 MiB until it is ended.
HOLDS = "import time; held = bytearray(64 << 20); time.sleep(600)"


def busy(session: Session, gate: Path) -> Run:
    command = [*python(BUSY), str(gate)]
    return session.submit({"command": command, "num_cpus": 1, "memory": "1GiB", "node": "ws2"}, None)


def usage_of(session: Session, run: Run) -> dict[str, Any]:
    return next((u for u in session.client.usage()["runs"] if u["run_id"] == run.run_id), {})


def recorded_there(tmp_path: Path) -> Timeline:
    (file,) = (tmp_path / "nodes" / "ws2").rglob("usage")
    found = timeline.read(file)
    assert found
    return found


def test_what_a_run_uses_there_is_shown_now_and_over_time(tmp_path: Path) -> None:
    cluster, gate = FakeCluster(tmp_path / "nodes", ws2=2), tmp_path / "gate"
    with yard(tmp_path, cluster) as (server, session), server.http() as http:
        run = busy(session, gate)
        wait_until(lambda: usage_of(session, run).get("memory", 0) > 64 * MIB, 30, "its memory is shown")
        wait_until(lambda: usage_of(session, run)["cpu_percent"] > 1, 30, "its time is shown")

        def memory_of_runs(name: str) -> int | None:
            nodes = http.get("/api/resources/history").json()["nodes"]
            found: int | None = next((n["runs_memory"][-1] for n in nodes if n["node"] == name), None)
            return found

        wait_until(lambda: (memory_of_runs("ws2") or 0) > 64 * MIB, 60, "it is the node's")
        assert memory_of_runs("here") == 0

        def over_time() -> dict[str, Any]:
            found: dict[str, Any] = http.get(f"/api/runs/{run.run_id}/usage").json()
            return found

        wait_until(lambda: len(over_time()["at"]) > 1, 30, "it is shown over time while it runs")
        gate.touch()
        assert run.wait(30).exit_code == 0
        columns = over_time()
        assert max(columns["memory"]) > 64 * MIB
        assert columns["limits"] == {"cpu_percent": 100.0, "memory": GIB, "gpu_memory": None}
        assert len(columns["at"]) == len(recorded_there(tmp_path).samples)


def test_it_is_recorded_while_nothing_is_heard_of_the_node(tmp_path: Path) -> None:
    cluster, gate = FakeCluster(tmp_path / "nodes", ws2=2), tmp_path / "gate"
    with yard(tmp_path, cluster, node_timeout=60) as (server, session), server.http() as http:
        run = busy(session, gate)
        wait_until(lambda: usage_of(session, run), 30, "it is measured")
        cluster.by_name["ws2"].is_cut = True
        wait_until(lambda: guard(session, "ws2"), 30, "the node is missed")
        missed_at = time.time()
        wait_until(
            lambda: [s for s in recorded_there(tmp_path).samples if s.at > missed_at + 1], 30, "it goes on"
        )
        cluster.by_name["ws2"].is_cut = False
        back_at = time.time()
        gate.touch()
        assert run.wait(30).exit_code == 0
        at = http.get(f"/api/runs/{run.run_id}/usage").json()["at"]
        assert [moment for moment in at if missed_at < moment < back_at]


def test_an_agent_that_comes_anew_goes_on_with_what_was_recorded(tmp_path: Path) -> None:
    cluster, gate = FakeCluster(tmp_path / "nodes", ws2=2), tmp_path / "gate"
    with yard(tmp_path, cluster) as (server, session), server.http() as http:
        run = busy(session, gate)
        wait_until(lambda: usage_of(session, run), 30, "it is measured")
        before = len(recorded_there(tmp_path).samples)
        server.call(cluster.by_name["ws2"].kill_agent())
        wait_until(lambda: len(recorded_there(tmp_path).samples) > before + 1, 30, "it goes on")
        gate.touch()
        assert run.wait(30).exit_code == 0
        assert len(http.get(f"/api/runs/{run.run_id}/usage").json()["at"]) > before + 1


def test_what_it_reports_is_shown_while_it_runs(tmp_path: Path) -> None:
    cluster, gate, starts = FakeCluster(tmp_path / "nodes", ws2=2), tmp_path / "gate", tmp_path / "starts"
    report = """open(os.environ["RUNYARD_REPORT"], "w").write('{"progress": 0.25}\\n')\n"""
    command = noting(starts, f"{report}while not os.path.exists({str(gate)!r}): time.sleep(0.02)\n")
    with yard(tmp_path, cluster) as (_, session):
        run = session.submit({"command": command, "num_cpus": 1, "node": "ws2"}, None)
        wait_until(lambda: run.refresh().progress == 0.25, 30, "it is shown")
        assert run.status == "running"
        gate.touch()
        assert run.wait(30).exit_code == 0


def test_one_without_a_sign_of_life_is_stopped_where_it_said_so(tmp_path: Path) -> None:
    cluster, gate, starts = FakeCluster(tmp_path / "nodes", ws2=2), tmp_path / "gate", tmp_path / "starts"
    with yard(tmp_path, cluster) as (_, session):
        what = {"command": waiting(starts, gate), "num_cpus": 1, "node": "ws2"}
        told = session.submit({**what, "stall_after": "2s"}, None)
        stopped = session.submit({**what, "stall_after": "2s", "on_stall": "stop"}, None)
        ended = stopped.wait(60).fields
        assert (ended["reason"], ended["ended_by"]) == ("stalled", "stalled")
        wait_until(lambda: told.refresh().fields["stalled_since"], 30, "it is told")
        gate.touch()
        assert told.wait(30).exit_code == 0


@contextmanager
def on_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *memory_gib: int
) -> Iterator[tuple[FakeGpus, Session]]:
    """A yard whose other node has these GPUs."""
    cluster = FakeCluster(tmp_path / "nodes", ws2=2)
    with fake_gpus(tmp_path / "gpus", memory_gib) as gpus:
        monkeypatch.setattr(actor, "read_capacity", lambda reserve: node(gpus))
        there = cluster.by_name["ws2"]
        there.meter = gpus.meter()
        there.node = dataclasses.replace(there.node, gpus=len(memory_gib))
        with yard(tmp_path, cluster) as (_, session):
            yield gpus, session


def test_who_takes_more_gpu_memory_there_than_it_asked_for_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with on_gpus(tmp_path, monkeypatch, 32) as (gpus, session):
        one, other = (session.submit(holder(gpu_memory="8GiB", node="ws2"), None) for _ in range(2))
        for run in (one, other):
            wait_until(
                lambda run=run: (run.refresh().enforcement or {}).get("gpu_memory") == "poll", 30, "held"
            )
            gpus.hold(run.run_id, 7.0)
            wait_until(lambda run=run: usage_of(session, run).get("gpu_memory") == 7 * GIB, 30, "seen")
        (gpu,) = session.client.resources()["nodes"][1]["gpus"]
        assert gpu["free_bytes"] == 18 * GIB
        gpus.hold(one.run_id, 8.6)
        ended = one.wait(60)
        assert (ended.status, ended.reason) == ("failed", "gpu_memory_limit")
        assert ended.reason_detail == "used 8.6 GiB of GPU memory, limit 8 GiB; stopped"
        assert ended.peak_gpu_memory == int(8.6 * GIB)
        assert other.refresh().status == "running"
        gpus.let_go(other.run_id)
        assert other.wait(30).status == "completed"


def test_a_gpu_that_is_lost_there_is_no_capacity_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with on_gpus(tmp_path, monkeypatch, 32, 24) as (gpus, session):
        run = session.submit(holder(gpu_memory="30GiB", node="ws2"), None)
        wait_until(lambda: run.status == "running", 30, "it is going")

        def there() -> dict[str, Any]:
            found: dict[str, Any] = session.client.resources()["nodes"][1]
            return found

        gpus.change(0, error=pynvml.NVML_ERROR_GPU_IS_LOST)
        wait_until(lambda: run.refresh().fields["warning"], 30, "its run is told")
        assert str(run.fields["warning"]).startswith("GPU 0, which it was given: it ")
        assert there()["capacity"]["num_gpus"] == 1
        assert [gpu["lost"] is None for gpu in there()["gpus"]] == [False, True]
        assert any("GPU 0 is not used" in words for words in there()["warnings"])
        gpus.change(0, error=None)
        wait_until(lambda: there()["capacity"]["num_gpus"] == 2, 30, "it is back")
        gpus.hold(run.run_id, 1.0)
        gpus.let_go(run.run_id)
        assert run.wait(30).status == "completed"


def test_memory_that_other_programs_hold_there_is_not_given_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FakeCluster(tmp_path / "nodes", ws2=2)
    with yard(tmp_path, cluster, reserve_memory=0) as (server, session):
        monkeypatch.setattr(
            node_meter, "read_use", lambda **_: Use(cpu_busy_percent=0.0, memory_free_bytes=GIB)
        )
        known = server.manager._yard.others["ws2"]
        wait_until(lambda: known.use and known.use.memory_free_bytes == GIB, 30, "it is measured")
        what = {"command": python("print(1)"), "num_cpus": 1, "node": "ws2"}
        large = session.submit({**what, "memory": "2GiB"}, None)
        small = session.submit({**what, "memory": "512MiB"}, None)
        assert small.wait(30).exit_code == 0
        assert large.status == "queued"
        assert "other programs use" in str(session.client.run(large.run_id)["waiting_for"])
        monkeypatch.setattr(
            node_meter, "read_use", lambda **_: Use(cpu_busy_percent=0.0, memory_free_bytes=4 * GIB)
        )
        assert large.wait(30).exit_code == 0


def test_memory_that_is_nearly_gone_there_holds_starts_and_stops_the_run_that_is_furthest_over(
    tmp_path: Path,
) -> None:
    group = FakeCgroup(tmp_path / "machine", 64 * GIB)
    cluster = FakeCluster(tmp_path / "nodes", ws2=4)
    cluster.by_name["ws2"].meter = NodeMeter(has_gpus=False, cgroup=group.cgroup)
    with yard(tmp_path, cluster) as (_, session):
        # Given a run inside what it declared, and one that declared nothing
        what = {"num_cpus": 1, "node": "ws2"}
        inside = session.submit({"command": python(HOLDS), "memory": "1GiB", **what}, None)
        over = session.submit({"command": python(HOLDS), "memory": 0, **what}, None)
        for run in (inside, over):
            wait_until(lambda r=run: usage_of(session, r).get("memory", 0) > 64 * MIB, 30, "it holds memory")
        # When that node's memory is nearly gone
        group.use(97)
        # Then that one is stopped, and nothing starts there, though it does here
        assert (over.wait(30).status, over.fields["reason"]) == ("failed", "memory_limit")
        assert "declared 0 B, while 97 % of the machine's memory was in use" in over.fields["reason_detail"]
        wait_until(lambda: guard(session, "ws2"), 30, "starts are held there")
        assert session.submit({"command": python("print(1)"), "num_cpus": 0.1}, None).wait(30).exit_code == 0
        waiting = session.submit({"command": python("print(1)"), **what}, None)
        held = "97 % of the machine's memory is in use, the limit for new starts is 92 % (ws2)"
        wait_until(lambda: session.client.run(waiting.run_id)["waiting_for"] == held, 30, "it says why")
        wait_until(
            lambda: "no run is over what it declared" in warnings(session), 30, "and who is not to blame"
        )
        assert inside.status == "running"
        # And it goes on by itself
        group.use(10)
        assert waiting.wait(30).exit_code == 0
        assert guard(session, "ws2") is None


def test_a_cpu_that_other_programs_keep_busy_there_holds_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FakeCluster(tmp_path / "nodes", ws2=4)
    with yard(tmp_path, cluster, cpu_busy_percent=70) as (server, session):
        # Given a run there that keeps a core busy, which is no reason to wait
        busy(session, gate := tmp_path / "gate")
        look = server.manager._yard.others["ws2"]
        wait_until(lambda: look.look and look.look.runs, 30, "it is looked at")
        # When all of the machine's CPUs are busy with other programs
        seconds = itertools.count(0.0, 100.0)
        monkeypatch.setattr(cpu_watch_of(cluster), "_machine", lambda: ((now := next(seconds)), now))
        wait_until(lambda: guard(session, "ws2"), 30, "starts are held there")
        words = str(guard(session, "ws2"))
        assert words.startswith("other programs keep the CPU ") and words.endswith("the limit is 70 %")
        gate.touch()


def warnings(session: Session) -> str:
    """Return those of ws2."""
    return str(next(n["warnings"] for n in session.client.resources()["nodes"] if n["node"] == "ws2"))


def cpu_watch_of(cluster: FakeCluster) -> Any:
    """Return what watches the CPU of ws2."""
    actor = cluster.by_name["ws2"]._actor
    assert actor is not None
    return actor._meter._cpu
