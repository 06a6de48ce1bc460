"""F1-F3, F9, F11, F53: kill -9 at every named point of submit, start, cancel, end and adoption.

Whoever comes by a point first is killed: the server with its manager in it, the spawner, or a shim. The server comes
again by itself, the caller repeats what got no answer, and in the end all that was answered is there, once.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

import runyard
import runyard_actors
import runyard_cluster
from runyard.client import Client
from tests.faults.mortal_server import MortalServer, mortal_server
from tests.faults.oracle import Ground, Verdict, judge
from tests.support import wait_until

SLOTS = 3
SIDE_BY_SIDE = 4
#: From the claim on a shim's death costs its run; before it, and once the end is on disk, nothing is lost.
COSTS_A_RUN = {"shim.claimed", "shim.spawned", "shim.child_written", "shim.main_ended", "shim.before_exit"}
ROOMS = [Path(str(package.__file__)).parent for package in (runyard, runyard_actors, runyard_cluster)]


def points() -> list[str]:
    """Return all points that there are in the source, so that a new one is swept as well."""
    sources = (path.read_text("utf-8") for room in ROOMS for path in room.rglob("*.py"))
    return sorted({name for text in sources for name in re.findall(r'\bhit\("([^"]+)"\)', text)})


@dataclass
class Story:
    """What a caller does here, and how each run has to end."""

    client: Client
    ground: Ground

    def submit(self, then: str = "sys.exit(0)", *, waits: bool = False, **more: object) -> str:
        """Submit a run; whatever dies meanwhile, there is an answer."""
        run = {"command": self.ground.command(then, waits=waits), "num_cpus": 0.1, "memory": "64MiB", **more}
        return str(self.client.submit(run)["run_id"])

    def status(self, run_id: str) -> str:
        """Return the run's status."""
        return str(self.client.run(run_id)["status"])

    def tell(self, server: MortalServer, mark: Path) -> dict[str, tuple[str, int | None]]:
        """Submit, start, cancel, retry and end; return how each run has to end: its reason and exit code."""
        first, second = self.submit("sys.exit(5)", waits=True), self.submit(waits=True)
        running = self.submit("time.sleep(300)")
        wait_until(lambda: self._is_going_or_ended(running), 60, "the third run started")
        queued = self.submit("time.sleep(300)")  # a slot that a killed shim leaves may come to it
        for run_id in (queued, running):
            self._cancel(run_id)
        batch = self.client.submit_batch({"runs": [self._exits(0), self._exits(3)]})
        again = self.submit("sys.exit(int(os.environ['RUNYARD_ATTEMPT']) == 1)", max_retries=1)
        wait_until(lambda: self.status(again) != "queued", 60, "what came last got a slot")
        if not mark.exists():
            server.kill()
        self.ground.gate.touch()
        quick = [str(run["run_id"]) for run in batch["runs"]]
        expected: dict[str, tuple[str, int | None]] = {
            first: ("exit_code", 5),
            second: ("None", 0),
            running: ("cancelled_by_user", None),
            queued: ("cancelled_by_user", None),
            quick[0]: ("None", 0),
            quick[1]: ("exit_code", 3),
            again: ("None", 0),
        }
        self.client.wait(list(expected), 60)
        return expected

    def _exits(self, code: int) -> dict[str, object]:
        return {"command": self.ground.command(f"sys.exit({code})"), "num_cpus": 0.1, "memory": "64MiB"}

    def _is_going_or_ended(self, run_id: str) -> bool:
        return self.status(run_id) != "queued" or self.client.run(run_id)["attempt"] > 0

    def _cancel(self, run_id: str) -> None:
        """Cancel; a repeat may find it done, as its first answer was lost."""
        try:
            self.client.cancel(run_id)
        except runyard.ConflictError:
            assert self.status(run_id) in ("cancelled", "failed")


def ends(client: Client, run_id: str) -> tuple[str, int | None]:
    """Return how a run ended."""
    run = client.run(run_id)
    code = None if run["status"] == "cancelled" else run["exit_code"]
    return (str(run["reason"]), code)


def sweep(point: str, folder: Path) -> list[str]:
    """Kill whoever comes by a point first; return all that is wrong in the end."""
    _, verdict = swept_once(point, folder)
    return [*verdict.lost, *verdict.twice, *verdict.left, *verdict.wrong]


def swept_once(point: str, folder: Path) -> tuple[int, Verdict]:
    """Kill whoever comes by a point first; return the number of runs, and what is wrong in the end."""
    ground, mark = Ground(folder), folder / "hit"
    with mortal_server(folder, f"{point}:kill={mark}", max_concurrent_runs=SLOTS) as server:
        with server.client() as client:
            expected = Story(client, ground).tell(server, mark)
            found = {run_id: ends(client, run_id) for run_id in expected}
        verdict = judge(ground, server.data_dir.database, server.data_dir.runs, expected, SLOTS)
    wrong = {run_id: end for run_id, end in found.items() if end != expected[run_id]}
    costs = 1 if point in COSTS_A_RUN else 0
    lost = [run_id for run_id, end in wrong.items() if end[0] == "supervisor_lost"]
    if len(lost) > costs or len(lost) != len(wrong):
        verdict.wrong.append(f"ended {wrong}, expected {expected}")
    if not mark.exists():
        verdict.wrong.append("nobody came by the point")
    return len(expected), verdict


@pytest.fixture(scope="module")
def swept(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[list[str]]]]:
    """What was found at each point that is asked for. Most of a sweep is waiting, so some go on side by side."""
    wanted = filter(None, map(_point_of, request.session.items))
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield {point: pool.submit(sweep, point, tmp_path_factory.mktemp("sweep")) for point in wanted}


def _point_of(item: pytest.Item) -> str | None:
    call = getattr(item, "callspec", None)
    return call.params.get("point") if call and item.path == Path(__file__) else None


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal 9; spawners fork")
@pytest.mark.parametrize("point", points())
def test_killed_at_any_point_nothing_is_lost_or_done_twice(
    point: str, swept: dict[str, Future[list[str]]]
) -> None:
    assert swept[point].result() == []


def test_there_are_points_in_every_step() -> None:
    steps = {point.partition(".")[0] for point in points()}
    assert steps >= {"submit", "start", "agent", "spawner", "shim", "cancel", "end", "boot", "manager"}
