"""`code = "ship"`: a queued run executes what was there when it was submitted, here and on other nodes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from runyard import Module
from runyard.session import Session
from runyard_actors.manager import prune
from runyard_cluster.errors import InvalidRequestError
from tests.fake_cluster import FakeCluster
from tests.in_process import InProcess, in_process
from tests.integration.test_other_nodes import yard
from tests.rest import assert_problem, run_count, submit, wait_ended
from tests.support import wait_until


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    (project / "lib").mkdir(parents=True)
    (project / "lib" / "__init__.py").write_text("WORD = 'old'\n")
    (project / "main.py").write_text(
        "import os, sys\nfrom lib import WORD\nprint(WORD, sys.argv[1:], os.path.exists('main.py'))\n"
    )
    return project


def edit(project: Path) -> None:
    (project / "lib" / "__init__.py").write_text("WORD = 'new'\n")
    (project / "main.py").write_text("from lib import WORD\nprint('edited', WORD)\n")


def body(project: Path, **fields: Any) -> dict[str, Any]:
    module = Module("main", script=project / "main.py", python=sys.executable, cwd=project, num_cpus=1)
    return {**module.body(), "code": "ship", **fields}


def snapshots(server: InProcess) -> list[Path]:
    return sorted(server.data_dir.code.glob("*"))


def test_a_queued_run_executes_what_was_there_at_its_submit(project: Path, tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.session() as session:
        # Given runs that wait while their module is edited
        session.client.pause()
        shipped = session.submit(body(project, args=["1"]), None)
        command = [sys.executable, str(project / "main.py")]
        by_command = session.submit({"command": command, "cwd": str(project), "code": "ship"}, None)
        shared = session.submit(body(project, code="shared"), None)
        edit(project)
        session.client.resume()
        # Then what was shipped is as it was, from its own folder, and what was not is as it is
        assert (shipped.wait(20).exit_code, by_command.wait(20).exit_code) == (0, 0)
        assert session.client.log(shipped.run_id) == b"old ['1'] True\n"
        assert session.client.log(by_command.run_id) == b"old [] True\n"
        assert shared.wait(20).exit_code == 0
        assert session.client.log(shared.run_id) == b"edited new\n"
        assert (shipped.fields["code"], shared.fields["code"]) == ("ship", "shared")
        # And runs of equal code share one snapshot, which a restart goes by, too
        assert [path.stem for path in snapshots(server)] == [shipped.fields["code_digest"]]
        again = session.restart(shipped, {})
        assert again.wait(20).exit_code == 0
        assert session.client.log(again.run_id) == b"old ['1'] True\n"


def test_it_reaches_a_node_that_does_not_see_this_disk(project: Path, tmp_path: Path) -> None:
    cluster = FakeCluster(tmp_path / "nodes", ws2=2)
    with yard(tmp_path, cluster) as (server, session):
        session.client.pause()
        runs = [session.submit(body(project, node="ws2", args=[str(n)]), None) for n in range(4)]
        edit(project)
        session.client.resume()
        assert [run.wait(30).exit_code for run in runs] == [0] * 4
        logs = [session.client.log(run.run_id) for run in runs]
        assert logs == [f"old ['{n}'] True\n".encode() for n in range(4)]
        [there] = (tmp_path / "nodes").rglob("code/*.tar")
        assert there.read_bytes() == snapshots(server)[0].read_bytes()


def test_it_is_sent_again_where_the_link_breaks(project: Path, tmp_path: Path) -> None:
    cluster = FakeCluster(tmp_path / "nodes", ws2=2)
    with yard(tmp_path, cluster) as (_, session):
        node = cluster.by_name["ws2"]
        session.client.pause()
        run = session.submit(body(project, node="ws2"), None)
        node.is_mute = True
        session.client.resume()
        wait_until(
            lambda: list((tmp_path / "nodes").rglob("code")) or run.status == "queued", 10, "it is tried"
        )
        node.is_mute = False
        assert run.wait(30).exit_code == 0


def test_what_a_run_writes_beside_its_code_stays_in_its_folder(project: Path, tmp_path: Path) -> None:
    (project / "main.py").write_text("open('out.csv', 'w').write('1')\n")
    with in_process(tmp_path) as server, server.session() as session:
        run = session.submit(body(project), None)
        assert run.wait(20).exit_code == 0
        copy = server.data_dir.runs / run.run_id[:6] / run.run_id / "1" / "code"
        assert [path.name for path in copy.iterdir()] == ["out.csv"]
        assert not (project / "out.csv").exists()


def test_a_module_and_the_defaults_can_say_so(project: Path, tmp_path: Path) -> None:
    module = {"script": str(project / "main.py"), "cwd": str(project), "code": "ship"}
    with in_process(tmp_path, modules={"main": module}) as server, server.session() as session:
        assert _digest(session, {"module_id": "main"})
        assert _digest(session, {"module_id": "main", "code": "shared"}) is None
        assert session.client.modules()["modules"][0]["code"] == "ship"
        session.client.put_module("rest", module)
        assert _digest(session, {"module_id": "rest"})
        assert len(snapshots(server)) == 1
    with in_process(tmp_path, defaults={"code": "ship"}) as server, server.session() as session:
        assert _digest(session, body(project, code=None))


def _digest(session: Session, run: dict[str, Any]) -> Any:
    found = session.submit({k: v for k, v in run.items() if v is not None}, None)
    assert found.wait(20).exit_code == 0
    return found.fields["code_digest"]


def test_a_batch_with_a_folder_that_is_too_large_is_refused_as_a_whole(project: Path, tmp_path: Path) -> None:
    (project / "weights").write_bytes(b"\0" * (2 << 20))
    with in_process(tmp_path, max_code_size="1MiB") as server, server.session() as session:
        rows = [body(project, code="shared"), body(project)]
        with pytest.raises(InvalidRequestError, match=r"run.* 1 .*the most is in weights \(2 MiB\)"):
            session.submit_batch({"runs": rows}, None)
        assert session.client.runs()["total"] == 0
        (project / ".runyardignore").write_text("weights\n")
        assert session.submit_batch({"runs": rows}, None).wait(20)
        with pytest.raises(InvalidRequestError, match="code"):
            session.submit(body(project, code="shipped"), None)
        assert len(snapshots(server)) == 1


def test_a_snapshot_goes_when_no_run_refers_to_it(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune, "CODE_SECONDS", 0.0)
    with in_process(tmp_path, retention="1h") as server, server.session() as session:
        run = session.submit(body(project), None)
        assert run.wait(20).exit_code == 0
        manager = server.manager._yard
        server.call(prune.prune(manager))
        assert len(snapshots(server)) == 1
        manager.settings = manager.settings.model_copy(update={"retention": 1e-6})
        server.call(prune.prune(manager))
        assert snapshots(server) == []


def test_snapshots_that_cannot_be_written_are_told_of_and_nothing_is_accepted(
    project: Path, tmp_path: Path
) -> None:
    with in_process(tmp_path) as server, server.http() as http:
        code = server.data_dir.code
        code.write_text("in the way")
        problem = assert_problem(http.post("/api/runs", json=body(project)), 503)
        assert problem["detail"] == f"code cannot be shipped: {code} cannot be written: File exists"
        assert run_count(http) == 0
        code.unlink()
        assert wait_ended(http, submit(http, **body(project))["run_id"])["exit_code"] == 0
