"""Search of all logs of a batch."""

from __future__ import annotations

from typing import Any

import pytest

from runyard_actors.ids import new_id
from runyard_actors.run import BatchId, RunSpec
from tests.integration.test_log_routes import Logged, server
from tests.store_server import StoreServer
from tests.unit.store import making

__all__ = ["server"]


@pytest.fixture
def batch(server: StoreServer) -> list[Logged]:
    batch_id = new_id()
    specs: list[RunSpec] = making.specs(4, batch_id=BatchId(batch_id))
    server.write([making.submitted(specs)])
    server.write([change for spec in specs for change in (making.starting(spec), making.started(spec))])
    runs = [Logged(server, spec) for spec in specs]
    for number, run in enumerate(runs[:3]):
        run.append(b"start\n" + b"loss is nan\n" * number)
    return runs


def search(batch: list[Logged], **params: Any) -> dict[str, Any]:
    batch_id = batch[0].spec.batch_id
    answer = batch[0].server.client.get(f"/api/batches/{batch_id}/log/search", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    "how", [{"q": "is nan"}, {"q": "IS NAN", "ignore_case": True}, {"q": "is n.n", "regex": True}]
)
def test_all_logs_are_searched_and_those_that_say_so_are_listed(
    batch: list[Logged], how: dict[str, Any]
) -> None:
    found = search(batch, limit=1, **how)
    assert (found["count"], found["searched"], found["total"], found["complete"]) == (3, 4, 4, True)
    listed = [
        (run["batch_index"], run["count"], [hit["line"] for hit in run["hits"]]) for run in found["runs"]
    ]
    assert listed == [(1, 1, [2]), (2, 2, [2])]


def test_the_newest_attempt_is_searched(batch: list[Logged]) -> None:
    run = batch[3]
    run.append(b"once\n", attempt=2)
    run.server.write(
        [making.ended(run.spec, code=1, will_retry=True), making.starting(run.spec, 2, nonce="n2")]
    )
    assert [(one["batch_index"], one["attempt"]) for one in search(batch, q="once")["runs"]] == [(3, 2)]


@pytest.mark.parametrize(
    "params", [{}, {"q": ""}, {"q": "a\nb"}, {"q": "(", "regex": True}, {"q": "a", "limit": 21}]
)
def test_what_makes_no_sense_is_422(batch: list[Logged], params: dict[str, Any]) -> None:
    run = batch[0]
    answer = run.server.client.get(f"/api/batches/{run.spec.batch_id}/log/search", params=params)
    assert answer.status_code == 422


def test_a_batch_that_is_not_known_is_404(server: StoreServer) -> None:
    assert server.client.get(f"/api/batches/{new_id()}/log/search", params={"q": "x"}).status_code == 404
