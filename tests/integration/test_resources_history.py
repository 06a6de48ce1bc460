"""The nodes' last hour over REST: looked at from the beginning, with what runs declared and used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.in_process import in_process
from tests.rest import submit
from tests.support import python, wait_until

GIB = 2**30
HOLD = "import time; held = bytearray(64 * 2**20); held[::4096] = b'x' * len(held[::4096]); time.sleep(600)"


def test_what_a_run_declares_and_uses_is_seen(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        submit(client, command=python(HOLD), num_cpus=1, memory="1GiB")

        def seen() -> dict[str, Any] | None:
            found: dict[str, Any] = client.get("/api/resources/history").json()
            uses = found["nodes"][0]["runs_memory"] if found["nodes"] else []
            return found if any((use or 0) > 64 * 2**20 for use in uses) else None

        found = wait_until(seen, 30, "the run's memory shows up")
        assert found is not None
        node = found["nodes"][0]
        assert (node["node"], node["num_cpus"], node["memory"]) == ("here", 8, 16 * GIB)
        assert (node["declared_cpus"][-1], node["declared_memory"][-1]) == (1, GIB)
        lengths = {len(column) for column in node.values() if isinstance(column, list) and column}
        assert lengths - {len(node["gpus"])} <= {len(found["at"])}
        assert (
            client.get("/api/resources/history", params={"since": found["at"][-1] + 1e6}).json()["at"] == []
        )
        assert client.get("/api/resources/history?since=soon").status_code == 422
