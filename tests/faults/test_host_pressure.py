"""F16: memory that others take stops new starts; no run inside its declaration is killed, least of all first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runyard_actors.node_meter import NodeMeter
from tests.fake_cgroup import FakeCgroup
from tests.in_process import in_process
from tests.rest import submit, wait_ended
from tests.support import python, wait_until

GIB = 2**30
HOLDS = "import sys, time; held = bytearray(int(sys.argv[1]) << 20); time.sleep(300)"


def holder(mib: int, **more: Any) -> dict[str, Any]:
    return {"command": [*python(HOLDS), str(mib)], "num_cpus": 0.1, **more}


def test_a_foreign_program_that_takes_all_memory_costs_no_run_and_holds_starts(tmp_path: Path) -> None:
    group = FakeCgroup(tmp_path / "machine", 64 * GIB)
    meter = NodeMeter(has_gpus=False, cgroup=group.cgroup)
    with in_process(tmp_path, meter=meter) as server, server.http() as http:
        # Given two runs inside what they declared
        runs = [submit(http, **holder(20, memory="256MiB"))["run_id"] for _ in range(2)]

        def run(run_id: str) -> dict[str, Any]:
            found: dict[str, Any] = http.get(f"/api/runs/{run_id}").json()
            return found

        def node() -> dict[str, Any]:
            found: dict[str, Any] = http.get("/api/resources").json()["nodes"][0]
            return found

        wait_until(lambda: all(run(r)["status"] == "running" for r in runs), 20, "both run")
        # When somebody else takes 97 % of the memory
        group.use(97)
        wait_until(lambda: node()["guard"], 20, "starts are held")
        waiting = submit(http, command=["true"], num_cpus=0.1, memory="16MiB")["run_id"]
        # Then the next run waits, and says for what, and somebody is told that no run is to blame
        assert run(waiting)["waiting_for"] == (
            "97 % of the machine's memory is in use, the limit for new starts is 92 % (here)"
        )
        assert any("no run is over what it declared" in words for words in node()["warnings"])
        # And several looks later both runs still go on
        wait_until(lambda: len(http.get(f"/api/runs/{runs[0]}/usage").json()["at"]) >= 5, 20, "five looks")
        assert [run(r)["status"] for r in runs] == ["running"] * 2
        # When the memory is free again, all goes on by itself
        group.use(10)
        assert wait_ended(http, waiting)["status"] == "completed"
        assert node()["warnings"] == []


def test_the_run_that_is_over_its_declaration_goes_first_and_the_others_stay(tmp_path: Path) -> None:
    group = FakeCgroup(tmp_path / "machine", 64 * GIB)
    meter = NodeMeter(has_gpus=False, cgroup=group.cgroup)
    with in_process(tmp_path, meter=meter) as server, server.http() as http:
        # Given a large run inside its declaration, and one that declared nothing and so is held to no limit of its own
        inside = submit(http, **holder(80, memory="512MiB"))["run_id"]
        over = submit(http, **holder(60, memory=0))["run_id"]

        def uses(run_id: str) -> int:
            found = [u["memory"] for u in http.get("/api/usage").json()["runs"] if u["run_id"] == run_id]
            return found[0] if found else 0

        wait_until(lambda: uses(inside) > 80 << 20 and uses(over) > 60 << 20, 20, "both hold their memory")
        # When memory is at its end
        group.use(97)
        ended = wait_ended(http, over)
        # Then that one is stopped, in words that tell of the machine, and the large one goes on
        assert (ended["status"], ended["reason"], ended["ended_by"]) == ("failed", "memory_limit", "memory")
        assert (
            "declared 0 B, while 97 % of the machine's memory was in use; stopped" in ended["reason_detail"]
        )
        wait_until(
            lambda: http.get("/api/resources").json()["nodes"][0]["warnings"], 20, "nobody is left to blame"
        )
        assert http.get(f"/api/runs/{inside}").json()["status"] == "running"
