"""Links from a run to its log in the Ray dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from runyard_cluster.ray_cluster import LOG_FOLDER


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLinks:
    """Where the dashboard is, and under which id it knows the node."""

    dashboard: str
    node_id: str

    @classmethod
    def of(cls, dashboard: str | None) -> LogLinks | None:
        """Return the links of the Ray this process is a driver of; None without a dashboard."""
        if dashboard is None:
            return None
        import ray

        return cls(dashboard=dashboard, node_id=ray.get_runtime_context().get_node_id())

    def of_run(self, run: Mapping[str, Any]) -> str | None:
        """Return the address of the page that shows the log of the run's newest attempt, once it has one."""
        if not run["attempt"]:
            return None
        run_id = run["run_id"]
        file = f"{LOG_FOLDER}/{run_id[:6]}/{run_id}/{run['attempt']}/output.log"
        return f"{self.dashboard}/#/logs/viewer?nodeId={self.node_id}&fileName={quote(file, safe='')}"
