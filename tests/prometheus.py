"""A real Prometheus for tests, where Debian's package `prometheus` is installed."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import wait_until

PROMETHEUS = shutil.which("prometheus")

needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None,
    reason="needs Prometheus: no program `prometheus` on PATH (Debian package `prometheus`)",
)

#: Has a server of ours scraped with its token; to be filled with `token_file` and `port`.
CONFIG = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: runyard
    authorization:
      credentials_file: "{token_file}"
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""


@contextlib.contextmanager
def prometheus(folder: Path, config: str) -> Iterator[httpx.Client]:
    """Have Prometheus scrape what `config` says for the length of the block; return a client of it."""
    assert PROMETHEUS is not None
    file = folder / "prometheus.yml"
    file.write_text(config)
    address = f"127.0.0.1:{_free_port()}"
    command = [
        PROMETHEUS,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
    ]
    with (
        (folder / "prometheus.log").open("wb") as log,
        httpx.Client(base_url=f"http://{address}", trust_env=False) as client,
    ):
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until(lambda: _is_ready(client), 30, "Prometheus is ready")
            yield client
        finally:
            process.terminate()
            process.wait(20)


def ask(client: httpx.Client, text: str) -> list[dict[str, Any]]:
    """Return the samples of a query, each with its `metric` and `value`; the query must be a good one."""
    answer: dict[str, Any] = client.get("/api/v1/query", params={"query": text}).json()
    assert answer["status"] == "success", (text, answer)
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
