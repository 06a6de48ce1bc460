"""`/metrics`: what stands there is what happened, in a form that Prometheus reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from runyard.server.metrics.families import families
from runyard.server.metrics.module_label import ModuleLabels
from runyard.server.metrics.run_metrics import RunMetrics
from runyard.server.metrics.state import MachineState, State, StoreState
from runyard_actors.manager.messages import GpuView, NodeView, YardView
from runyard_actors.run import Reason
from runyard_actors.store import StoreReader
from runyard_actors.store.changes import RunDropped
from runyard_cluster.capacity import Use, busy_cpu_seconds
from tests.store_server import StoreServer, serving
from tests.support import wait_until
from tests.unit.store.making import AT, SECOND, ended, life, specs, started, starting, submitted

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

OPERATIONS = Path(__file__).parents[3] / "docs" / "OPERATIONS.md"
GIB = 2**30
YARD = YardView(
    max_concurrent_runs=10,
    active=3,
    queued=7,
    is_paused=True,
    paused_while=None,
    storage_fault="the disk is full",
    nodes=(
        NodeView(
            node="ws1",
            cpu_milli=8_000,
            memory_bytes=16 * GIB,
            declared_cpu_milli=2_500,
            declared_memory_bytes=5 * GIB,
            gpus=(
                GpuView(
                    index=0,
                    uuid="GPU-a",
                    name="H100",
                    memory_bytes=80 * GIB,
                    declared_milli=250,
                    declared_memory_bytes=20 * GIB,
                    free_bytes=50 * GIB,
                ),
            ),
            guard="other programs keep the CPU 97 % busy, the limit is 80 %",
        ),
    ),
)
MACHINE = MachineState(
    node="ws1",
    use=Use(
        cpu_busy_percent=50.0,
        memory_free_bytes=9 * GIB,
    ),
    busy_cpu_seconds=123.5,
    data_free_bytes=1_000,
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StoreServer]:
    with serving(tmp_path / "data") as found:
        yield found


def scrape(server: StoreServer) -> Samples:
    """Return the samples of one scrape as Prometheus' own parser reads them."""
    answer = server.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return samples(parse(answer.text))


def samples(found: Any) -> Samples:
    """Return samples by name and labels; no two may have both in common."""
    by_key: Samples = {}
    for family in found:
        assert family.documentation, family.name
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in by_key, key
            by_key[key] = sample.value
    return by_key


def value(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


def test_metrics_need_the_token(server: StoreServer) -> None:
    refused = server.client.get("/metrics", headers={"Authorization": "Bearer wrong"})
    assert refused.status_code == 401
    assert value(
        scrape(server), "runyard_http_request_seconds_count", route="none", method="GET", status="401"
    )


def test_runs_are_counted_by_module_and_status(server: StoreServer) -> None:
    train, score = specs(3), specs(1, module_id="score")
    server.write([submitted(train + score)])
    server.write([*life(train[0]), *life(train[1], code=3), starting(score[0]), started(score[0])])

    found = scrape(server)

    assert value(found, "runyard_runs", module="train", status="completed") == 1
    assert value(found, "runyard_runs", module="train", status="failed") == 1
    assert value(found, "runyard_runs", module="train", status="queued") == 1
    assert value(found, "runyard_runs", module="score", status="running") == 1
    assert value(found, "runyard_runs_ended_total", module="train", status="completed") == 1
    assert value(found, "runyard_runs_ended_total", module="train", status="failed") == 1
    assert value(found, "runyard_runs_not_completed_total", reason="exit_code") == 1
    assert value(found, "runyard_log_bytes_total", module="train") == 20


def test_waits_and_durations_are_those_of_the_store(server: StoreServer) -> None:
    runs = specs(2)
    server.write([submitted(runs)])
    server.write([c for run in runs for c in life(run)])

    found = scrape(server)

    for name, seconds in (("wait", 2.0), ("duration", 3.0)):
        metric = f"runyard_run_{name}_seconds"
        assert value(found, f"{metric}_count", module="train") == 2
        assert value(found, f"{metric}_sum", module="train") == pytest.approx(2 * seconds)
        assert value(found, f"{metric}_bucket", module="train", le="1.0") == 0
        assert value(found, f"{metric}_bucket", module="train", le="5.0") == 2
        assert value(found, f"{metric}_bucket", module="train", le="+Inf") == 2


def test_a_retry_waits_from_the_end_of_the_attempt_before(server: StoreServer) -> None:
    (run,) = specs(1, max_retries=1)
    server.write([submitted([run])])
    server.write([starting(run), started(run), ended(run, code=1, will_retry=True)])
    again = AT + 15 * SECOND
    server.write([starting(run, 2, nonce="n2"), started(run, 2, again), ended(run, 2, at=again + SECOND)])

    found = scrape(server)

    assert value(found, "runyard_retries_total", module="train") == 1
    assert value(found, "runyard_run_wait_seconds_count", module="train") == 2
    assert value(found, "runyard_run_wait_seconds_sum", module="train") == pytest.approx(2.0 + 10.0)
    assert value(found, "runyard_run_duration_seconds_count", module="train") == 1
    assert value(found, "runyard_run_duration_seconds_sum", module="train") == pytest.approx(1.0)


def test_a_run_that_never_started_has_neither_wait_nor_duration(server: StoreServer) -> None:
    (run,) = specs(1)
    server.write([submitted([run])])
    server.write(
        [RunDropped(run_id=run.run_id, reason=Reason.CANCELLED_BY_USER, detail="cancelled", at=AT + SECOND)]
    )

    found = scrape(server)

    assert value(found, "runyard_runs_ended_total", module="train", status="cancelled") == 1
    assert value(found, "runyard_run_wait_seconds_count", module="train") is None
    assert value(found, "runyard_run_duration_seconds_count", module="train") is None


@pytest.mark.parametrize(("since", "waits"), [(AT, 1), (AT + 3 * SECOND, 0)])
def test_a_start_that_only_the_end_tells_of_counts_where_it_happened(since: int, waits: int) -> None:
    # Given a run that was over before its start was recorded, in this server's life or before it
    moment = datetime.fromtimestamp(since / SECOND, UTC)
    registry = CollectorRegistry()
    metrics = RunMetrics(registry, ModuleLabels(), moment)
    start = datetime.fromtimestamp((AT + 2 * SECOND) / SECOND, UTC).isoformat()
    run = {"run_id": "r1", "module_id": "m", "started_at": start, "log_bytes": None}
    run |= {"queued_seconds": 2.0, "duration_seconds": 3.0}
    # When its end passes
    metrics.on_event({"kind": "run_ended", "run_id": "r1", "run": run, "data": {"status": "completed"}})
    # Then its wait counts only if no earlier server can have counted it
    assert (registry.get_sample_value("runyard_run_wait_seconds_count", {"module": "m"}) or 0) == waits
    assert registry.get_sample_value("runyard_run_duration_seconds_count", {"module": "m"}) == 1


def test_an_event_of_a_run_that_was_removed_meanwhile_is_passed_over() -> None:
    registry = CollectorRegistry()
    RunMetrics(registry, ModuleLabels()).on_event(
        {"kind": "run_ended", "run_id": "r", "run": None, "data": {}}
    )
    assert registry.get_sample_value("runyard_runs_ended_total", {"module": "m", "status": "failed"}) is None


def test_modules_beyond_the_limit_share_one_label() -> None:
    labels = ModuleLabels(["configured"], limit=3)
    assert [labels.of(m) for m in ("a", "b", "c", "d", "a", "configured")] == [
        "a",
        "b",
        "other",
        "other",
        "a",
        "configured",
    ]


def test_runs_of_modules_without_a_label_are_added_up() -> None:
    store = StoreState(
        runs={name: {"failed": count} for name, count in (("a", 5), ("b", 2), ("c", 3))},
        last_event=9,
        oldest_queued_seconds=0.0,
        size_bytes=2_000,
    )
    state = State(view=None, store=store, machine=MACHINE, hub_event=4)
    found = samples(families(state, ModuleLabels(["a"], limit=1)))
    assert value(found, "runyard_runs", module="a", status="failed") == 5
    assert value(found, "runyard_runs", module="other", status="failed") == 5
    assert value(found, "runyard_live_lag_events") == 5
    assert value(found, "runyard_store_size_bytes") == 2_000


def test_the_yard_shows_slots_nodes_and_gpus(server: StoreServer) -> None:
    server.news.yard = YARD
    found = scrape(server)
    assert value(found, "runyard_manager_up") == 1
    assert value(found, "runyard_queue_length") == 7
    assert value(found, "runyard_slots") == 10
    assert value(found, "runyard_slots_used") == 3
    assert value(found, "runyard_is_paused") == 1
    assert value(found, "runyard_store_fault") == 1
    assert value(found, "runyard_node_capacity_cpus", node="ws1") == 8
    assert value(found, "runyard_node_declared_cpus", node="ws1") == 2.5
    assert value(found, "runyard_node_declared_memory_bytes", node="ws1") == 5 * GIB
    assert value(found, "runyard_node_is_guarded", node="ws1") == 1
    assert value(found, "runyard_gpu_declared_ratio", node="ws1", gpu="0") == 0.25


def test_measured_gpu_memory_is_matched_by_uuid() -> None:
    found = samples(families(State(view=YARD, store=None, machine=MACHINE, hub_event=0), ModuleLabels()))
    assert value(found, "runyard_gpu_used_memory_bytes", node="ws1", gpu="0") == 30 * GIB
    assert value(found, "runyard_gpu_declared_memory_bytes", node="ws1", gpu="0") == 20 * GIB
    assert value(found, "runyard_node_free_memory_bytes", node="ws1") == 9 * GIB
    assert value(found, "runyard_node_cpu_busy_seconds_total", node="ws1") == 123.5


def test_a_scrape_answers_without_manager_and_without_store(server: StoreServer, tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database " * 1_000)
    server.context.reader = StoreReader(broken)
    found = scrape(server)
    assert value(found, "runyard_manager_up") == 0
    assert value(found, "runyard_store_up") == 0
    assert not [name for name, _ in found if name in ("runyard_runs", "runyard_slots")]
    assert (value(found, "runyard_data_free_bytes") or 0) > 0


def test_counters_of_a_module_stand_at_zero_before_anything_ended(server: StoreServer) -> None:
    server.write([submitted(specs(1))])
    found = scrape(server)
    assert value(found, "runyard_runs_ended_total", module="train", status="failed") == 0
    assert value(found, "runyard_retries_total", module="train") == 0
    assert (value(found, "runyard_queue_oldest_seconds") or 0) > 0


def test_requests_are_timed_by_route_template(server: StoreServer) -> None:
    for path in ("/api/runs/01AAAAAAAAAAAAAAAAAAAAAAAA", "/api/runs/01BBBBBBBBBBBBBBBBBBBBBBBB"):
        assert server.client.get(path).status_code == 404
    server.client.request("BREW", "/api/stats")

    found = scrape(server)

    metric = "runyard_http_request_seconds_count"
    assert value(found, metric, route="/api/runs/{run_id}", method="GET", status="404") == 2
    assert [labels for name, labels in found if name == metric and ("method", "other") in labels]
    assert not [labels for name, labels in found if name == metric and ("method", "BREW") in labels]


def test_open_streams_are_counted_while_they_are_open(server: StoreServer) -> None:
    def streams() -> float | None:
        return value(scrape(server), "runyard_event_streams", route="/api/events")

    with server.client.stream("GET", "/api/events") as answer:
        assert answer.status_code == 200
        assert streams() == 1
    wait_until(lambda: streams() == 0, 10, "the stream was counted out")


def test_an_answer_in_openmetrics_is_valid_too(server: StoreServer) -> None:
    server.news.yard = YARD
    (run,) = specs(1, module_id='odd "name"\\\n é')
    server.write([submitted([run])])
    server.write(life(run))
    accept = {"Accept": "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5"}
    answer = server.client.get("/metrics", headers=accept)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    found = samples(parse_openmetrics(answer.text))
    assert value(found, "runyard_runs_ended_total", module=run.module_id, status="completed") == 1
    assert [dict(labels)["version"] for name, labels in found if name == "runyard_build_info"]


def test_no_series_tells_when_a_counter_was_made(server: StoreServer) -> None:
    assert not [name for name, _ in scrape(server) if name.endswith("_created")]


def test_what_is_served_is_what_the_documentation_lists(server: StoreServer) -> None:
    # Given a server that has something to say of everything
    server.news.yard = YARD
    (run,) = specs(1, max_retries=1)
    server.write([submitted([run])])
    server.write([starting(run), started(run), ended(run, code=1, will_retry=True)])
    scrape(server)
    # When its families are compared with the tables
    text = server.client.get("/metrics").text
    served = {name for name, kind in re.findall(r"# TYPE (\S+) (\S+)", text)}
    documented = re.findall(r"^\| `(runyard_\w+)", OPERATIONS.read_text("utf-8"), re.MULTILINE)
    # Then each is there once; the server's process is told of on some systems only
    assert len(documented) == len(set(documented))
    process = {name for name in documented if name.startswith("runyard_server_process_")}
    assert set(documented) - process <= served <= set(documented)


def test_busy_cpu_seconds_rise_by_no_more_than_the_cores_could_do() -> None:
    before = busy_cpu_seconds()
    total = sum(n * n for n in range(300_000))
    assert total > 0
    assert before <= busy_cpu_seconds()
