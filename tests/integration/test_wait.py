"""Waiting for runs: asked for all at once, and told of each end."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from runyard_actors.ids import new_id
from runyard_cluster.errors import NotFoundError
from tests.in_process import InProcess, in_process

RUN = {"command": ["true"], "memory": "1MiB", "num_cpus": 0.1}
SHOWN = 'runyard_http_request_seconds_count{method="GET",route="/api/runs/{run_id}",status="200"}'
LISTED = 'runyard_http_request_seconds_count{method="GET",route="/api/runs",status="200"}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("server"), max_concurrent_runs=4) as found:
        yield found


def counted(http: httpx.Client, series: str) -> float:
    """Return the value of a series of the metrics; 0 while there is none."""
    lines = http.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(series))


def test_a_wait_for_many_runs_asks_once_and_returns_them_in_order(server: InProcess) -> None:
    with server.client() as client, server.http() as http:
        ids = [run["run_id"] for run in client.submit_batch({"runs": [RUN] * 30})["runs"]]
        before = counted(http, SHOWN), counted(http, LISTED)
        ended = client.wait([*reversed(ids)], 60)
        assert [run["run_id"] for run in ended] == [*reversed(ids)]
        assert {run["status"] for run in ended} == {"completed"}
        assert (counted(http, SHOWN), counted(http, LISTED)) == (before[0], before[1] + 1)


def test_a_wait_for_more_runs_than_one_call_shows(server: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runyard.async_client.SHOWN_AT_ONCE", 3)
    with server.client() as client:
        ids = [run["run_id"] for run in client.submit_batch({"runs": [RUN] * 8})["runs"]]
        assert [run["run_id"] for run in client.wait(ids, 60)] == ids


def test_a_wait_for_a_run_that_is_not_known_says_so(server: InProcess) -> None:
    unknown = new_id()
    with server.client() as client:
        known = client.submit(RUN)["run_id"]
        with pytest.raises(NotFoundError, match=unknown):
            client.wait([known, unknown], 60)


def test_runs_are_listed_by_their_ids_and_other_filters_narrow_that(server: InProcess) -> None:
    with server.client() as client:
        ids = [run["run_id"] for run in client.submit_batch({"runs": [RUN] * 5})["runs"]]
        client.wait(ids, 60)
        page = client.runs(run_id=[ids[3], ids[0], new_id(), "no id"])
        assert ([run["run_id"] for run in page["runs"]], page["total"]) == ([ids[3], ids[0]], 2)
        page = client.runs(run_id=ids, sort="created_at", limit=2, offset=1)
        assert ([run["run_id"] for run in page["runs"]], page["total"]) == (ids[1:3], 5)
        assert client.runs(run_id=ids, status="failed")["total"] == 0
        assert client.runs(run_id=[new_id()])["runs"] == []
