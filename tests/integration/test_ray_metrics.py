"""The manager's main numbers show among Ray's own metrics, where Ray's dashboard takes them from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families as parse

from runyard.session import Session
from tests.grafana import expressions
from tests.prometheus import ask, needs_prometheus, prometheus
from tests.support import processes_naming, python, wait_until

#: Ray collects metrics from its workers every ten seconds.
LIMIT_SECONDS = 60.0

CONFIG = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: ray
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""


def test_slots_and_ended_runs_show_among_the_metrics_of_ray(session: Session) -> None:
    before = wait_until(lambda: _numbers(session), LIMIT_SECONDS, "Ray shows our metrics")
    codes = (0, 0, 3)
    runs = [{"module_id": "counted", "command": python(f"raise SystemExit({code})")} for code in codes]
    session.submit_batch({"runs": runs}, None).results(return_exceptions=True)

    def rises() -> dict[str, float]:
        now = _numbers(session)
        return {s: now.get(f"ended {s}", 0) - before.get(f"ended {s}", 0) for s in ("completed", "failed")}

    wait_until(lambda: rises() == {"completed": 2, "failed": 1}, LIMIT_SECONDS, "the ends are counted")
    assert _numbers(session)["slots"] == 10
    assert _numbers(session)["runs completed"] >= 2


@needs_prometheus
def test_the_panels_for_rays_grafana_show_what_ray_tells(session: Session, tmp_path: Path) -> None:
    wait_until(lambda: _numbers(session), LIMIT_SECONDS, "Ray shows our metrics")
    port = next(p for p in _ports_of_ray(session.data_dir.ray_temp) if _metrics_at(p))
    config = CONFIG.format(port=port)
    # A node without GPUs tells nothing of them; nothing ended yet, or nothing counted twice.
    expected = [
        text for _, text in expressions("runyard-ray.json") if "gpu" not in text and "rate" not in text
    ]
    with prometheus(tmp_path, config) as client:
        wait_until(lambda: ask(client, "ray_runyard_slots"), LIMIT_SECONDS, "Prometheus saw Ray's node")
        assert all(found["metric"]["SessionName"] for found in ask(client, "ray_runyard_slots"))
        for text in expected:
            wait_until(lambda text=text: ask(client, text), LIMIT_SECONDS, f"an answer to {text}")  # type: ignore[misc] # a loop's value


def _numbers(session: Any) -> dict[str, float]:
    """Return the numbers by name and status."""
    found: dict[str, float] = {}
    for family in parse(_metrics_of_ray(session.data_dir.ray_temp)):
        for sample in family.samples:
            if sample.name.startswith("ray_runyard_"):
                name = sample.name.removeprefix("ray_runyard_").replace("runs_ended_total", "ended")
                found[f"{name} {sample.labels.get('Status', '')}".strip()] = sample.value
    return found


def _metrics_of_ray(temp: Path) -> str:
    """Ask every port of Ray's node for metrics; one of them has those that its workers recorded."""
    texts = (_metrics_at(port) for port in _ports_of_ray(temp))
    return next((text for text in texts if text), "")


def _ports_of_ray(temp: Path) -> Iterator[int]:
    for process in processes_naming(str(temp)):
        try:
            listening = [c for p in (process, *process.children()) for c in p.net_connections(kind="tcp")]
        except psutil.Error:
            continue
        yield from (c.laddr.port for c in listening if c.status == psutil.CONN_LISTEN)


def _metrics_at(port: int) -> str:
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=5)
    except httpx.TransportError:
        return ""
    return answer.text if answer.status_code == 200 and "ray_runyard_" in answer.text else ""
