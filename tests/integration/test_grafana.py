"""What the dashboards for Grafana ask, a real Prometheus answers, with what a real server told it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from runyard_actors.run import RunSpec
from tests.grafana import expressions, filled
from tests.prometheus import CONFIG, ask, needs_prometheus, prometheus
from tests.store_server import StoreServer, serving
from tests.support import wait_until
from tests.unit.server.test_metrics import YARD
from tests.unit.store.making import ended, life, specs, started, starting, submitted

pytestmark = needs_prometheus


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[httpx.Client]:
    """A Prometheus that saw a server before, while and after there was something to see on it."""
    with serving(tmp_path / "data") as server:
        server.news.yard = YARD
        config = CONFIG.format(token_file=server.context.data_dir.token_file.as_posix(), port=server.port)
        with prometheus(tmp_path, config) as client:
            train, score = specs(6, max_retries=1), specs(2, module_id="score")
            server.write([submitted(train + score)])
            wait_until(lambda: ask(client, 'up{job="runyard"} == 1'), 30, "the server was scraped")
            # A rise shows from the second value on, so each histogram has to have one before.
            server.write(life(train[5]))
            counted = 'runyard_run_duration_seconds_count{module="train"} == 1'
            wait_until(lambda: ask(client, counted), 30, "its histograms are there")
            _work(server, train, score)
            yield client


def _work(server: StoreServer, train: list[RunSpec], score: list[RunSpec]) -> None:
    for run, code in zip(train, (0, 0, 3), strict=False):
        server.write(life(run, code=code))
    server.write([starting(train[3]), started(train[3]), ended(train[3], code=1, will_retry=True)])
    server.write([starting(score[0]), started(score[0])])
    for path in ("/api/runs?status=completed", "/api/stats", "/api/batches"):
        assert server.client.get(path).status_code == 200


def test_every_query_of_the_dashboard_has_an_answer(watched: httpx.Client) -> None:
    for title, text in expressions("runyard.json"):
        if "event_streams" in text:
            ask(watched, text)  # No stream is open in this test, and so none is counted.
        else:
            wait_until(lambda text=text: _has_numbers(watched, text), 30, f"{title}: an answer to {text}")


def test_what_the_dashboard_shows_is_what_the_server_holds(watched: httpx.Client) -> None:
    def shows(title: str, wanted: dict[str, float]) -> None:
        text = next(text for of, text in expressions("runyard.json") if of == title)
        wait_until(lambda: _by_first_label(watched, text) == wanted, 30, f"{title}: {text} is {wanted}")

    shows("Slots", {"": 0.3})
    shows("Queue", {"": 7.0})
    shows("Queued and running", {"queued": 3.0, "running": 1.0})
    shows("Running, by module", {"score": 1.0, "train": 0.0})
    shows("Admission", {"": 3.0})
    shows("Answers", {"": 1.0})
    shows("GPU shares", {"0": 0.25})


def test_no_query_of_the_panels_for_ray_is_wrong(watched: httpx.Client) -> None:
    for _, text in expressions("runyard-ray.json"):
        ask(watched, text)


def test_a_variable_that_nobody_has_is_noticed() -> None:
    with pytest.raises(KeyError):
        filled('runyard_runs{module="$modul"}')


def _has_numbers(client: httpx.Client, text: str) -> bool:
    return any(found["value"][1] != "NaN" for found in ask(client, text))


def _by_first_label(client: httpx.Client, text: str) -> dict[str, float]:
    return {
        next((v for k, v in sorted(f["metric"].items()) if k != "__name__"), ""): float(f["value"][1])
        for f in ask(client, text)
    }
