"""A real Prometheus reads `/metrics` with the token's file and answers queries about it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.prometheus import CONFIG, ask, needs_prometheus, prometheus
from tests.store_server import StoreServer, serving
from tests.support import wait_until
from tests.unit.store.making import life, specs, started, starting, submitted

OPERATIONS = Path(__file__).parents[2] / "docs" / "OPERATIONS.md"

pytestmark = needs_prometheus

BOTH = (
    CONFIG
    + """\
  - job_name: no-token
    metrics_path: /metrics
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""
)

Query = Callable[[str], dict[tuple[str, ...], float]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StoreServer]:
    with serving(tmp_path / "data") as found:
        yield found


@pytest.fixture
def query(server: StoreServer, tmp_path: Path) -> Iterator[Query]:
    """Ask a Prometheus that watches the server: values by label values, sorted by label name."""
    token_file = server.context.data_dir.token_file.as_posix()
    with prometheus(tmp_path, BOTH.format(token_file=token_file, port=server.port)) as client:
        yield lambda text: _ask(client, text)


def _ask(client: httpx.Client, text: str) -> dict[tuple[str, ...], float]:
    return {_labels(found["metric"]): float(found["value"][1]) for found in ask(client, text)}


def _labels(metric: dict[str, str]) -> tuple[str, ...]:
    return tuple(v for k, v in sorted(metric.items()) if k not in ("__name__", "instance"))


def test_prometheus_reads_what_the_store_holds(server: StoreServer, query: Query) -> None:
    # Given two modules' runs, of which one waits, one runs, two completed and one failed
    train, score = specs(4), specs(1, module_id="score")
    server.write([submitted(train + score)])
    # When Prometheus has seen the server before anything ended
    await_answer(query, 'up{job="runyard"}', {("runyard",): 1.0})
    server.write([c for run, code in zip(train, (0, 0, 3), strict=False) for c in life(run, code=code)])
    server.write([starting(score[0]), started(score[0])])
    # Then it holds the counts
    wanted = {
        ("runyard", "score", "running"): 1.0,
        ("runyard", "train", "completed"): 2.0,
        ("runyard", "train", "failed"): 1.0,
        ("runyard", "train", "queued"): 1.0,
    }
    await_answer(query, "runyard_runs > 0", wanted)
    # and the histograms, which add up
    await_answer(
        query, "runyard_run_wait_seconds_sum", {("runyard", "score"): 2.0, ("runyard", "train"): 6.0}
    )
    await_answer(query, "runyard_run_duration_seconds_count", {("runyard", "train"): 3.0})
    longest = 'histogram_quantile(1, runyard_run_duration_seconds_bucket{module="train"})'
    await_answer(query, longest, {("runyard", "train"): 5.0})
    # and the very first failure shows as a rise, because the counter stood at zero before it
    await_answer(query, 'sum(increase(runyard_runs_ended_total{status="failed"}[1m])) > bool 0', {(): 1.0})


def test_prometheus_without_the_token_is_refused(server: StoreServer, query: Query) -> None:
    await_answer(query, "up", {("no-token",): 0.0, ("runyard",): 1.0})
    refused = 'runyard_http_request_seconds_count{status="401"} > bool 0'
    await_answer(query, refused, {("runyard", "GET", "none", "401"): 1.0})


def await_answer(query: Query, text: str, wanted: dict[tuple[str, ...], float]) -> None:
    """Ask again until the answer is as wanted: what was committed is there with the next scrape."""
    wait_until(lambda: query(text) == wanted, 30, f"{text} is {wanted}")


@pytest.mark.parametrize(("name", "kind"), [("prometheus.yml", "config"), ("runyard-rules.yml", "rules")])
def test_the_files_of_the_documentation_are_valid(name: str, kind: str, tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", OPERATIONS.read_text("utf-8"), re.DOTALL)
    (text,) = (block for block in blocks if block.startswith(f"# {name}\n"))
    file = tmp_path / name
    file.write_text(text.replace("/etc/prometheus/runyard.token", _token_copy(tmp_path).as_posix()))
    done = subprocess.run(["promtool", "check", kind, str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _token_copy(folder: Path) -> Path:
    copy = folder / "runyard.token"
    copy.write_text("token")
    return copy
