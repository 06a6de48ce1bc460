"""What runs did since the server began, counted as their stored events pass: each event passes once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from runyard.server.metrics.module_label import ModuleLabels
from runyard_actors.run import Reason, Status

#: Seconds; from what a start costs to the longest a run is usually given.
BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 43_200, 86_400)
MODULE = ("module",)
#: Events that are counted here.
KINDS = frozenset({"run_started", "run_requeued", "run_ended"})


class RunMetrics:
    """Counters and histograms of runs. Events of before `since` belonged to an earlier server."""

    def __init__(
        self, registry: CollectorRegistry, labels: ModuleLabels, since: datetime | None = None
    ) -> None:
        self._labels = labels
        self._since = since or datetime.now(UTC)
        self._started: set[str] = set()
        self._requeued: dict[str, datetime] = {}
        self._prepared: set[str] = set()
        self._wait = Histogram(
            "runyard_run_wait_seconds",
            "Seconds from being queued, first or again, to the start of the process.",
            MODULE,
            registry=registry,
            buckets=BUCKETS,
        )
        self._duration = Histogram(
            "runyard_run_duration_seconds",
            "Seconds from start to end of a run's last attempt.",
            MODULE,
            registry=registry,
            buckets=BUCKETS,
        )
        self._ended = Counter(
            "runyard_runs_ended", "Runs that ended.", (*MODULE, "status"), registry=registry
        )
        self._not_completed = Counter(
            "runyard_runs_not_completed",
            "Runs that ended without completing, by reason.",
            ("reason",),
            registry=registry,
        )
        self._retries = Counter(
            "runyard_retries", "Failed attempts that went back to the queue.", MODULE, registry=registry
        )
        self._log_bytes = Counter(
            "runyard_log_bytes", "Bytes that ended runs had printed.", MODULE, registry=registry
        )
        for reason in Reason:
            self._not_completed.labels(reason.value)

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Count one stored event, which carries its run as it stands now."""
        run = event.get("run")
        if run is None:
            return
        kind = event["kind"]
        if kind == "run_started":
            self._on_started(event, run)
        elif kind == "run_requeued":
            self._on_requeued(event, run)
        elif kind == "run_ended":
            self._on_ended(event, run)

    def prepare(self, module_id: str) -> str:
        """Return the module's label. Its counters stand at zero from now on, so the first event shows as a rise."""
        module = self._labels.of(module_id)
        if module not in self._prepared:
            self._prepared.add(module)
            self._retries.labels(module)
            for status in Status:
                if status.is_ended:
                    self._ended.labels(module, status.value)
        return module

    def _on_started(self, event: Mapping[str, Any], run: Mapping[str, Any]) -> None:
        run_id, at = event["run_id"], datetime.fromisoformat(event["at"])
        self._started.add(run_id)
        queued = self._requeued.pop(run_id, None)
        if queued is None and event["data"]["attempt"] == 1:
            queued = datetime.fromisoformat(run["created_at"])
        if queued is not None:
            self._wait.labels(self.prepare(run["module_id"])).observe(_seconds(queued, at))

    def _on_requeued(self, event: Mapping[str, Any], run: Mapping[str, Any]) -> None:
        self._started.discard(event["run_id"])
        self._requeued[event["run_id"]] = datetime.fromisoformat(event["at"])
        self._retries.labels(self.prepare(run["module_id"])).inc()

    def _on_ended(self, event: Mapping[str, Any], run: Mapping[str, Any]) -> None:
        module = self.prepare(run["module_id"])
        self._requeued.pop(event["run_id"], None)
        if self._has_untold_start(run):
            self._wait.labels(module).observe(run["queued_seconds"])
        if run["duration_seconds"] is not None:
            self._duration.labels(module).observe(run["duration_seconds"])
        self._log_bytes.labels(module).inc(run["log_bytes"] or 0)
        self._ended.labels(module, event["data"]["status"]).inc()
        if reason := event["data"].get("reason"):
            self._not_completed.labels(reason).inc()

    def _has_untold_start(self, run: Mapping[str, Any]) -> bool:
        """A run may be over before its start was recorded; then its end is the only event that tells of both."""
        was_told = run["run_id"] in self._started
        self._started.discard(run["run_id"])
        start = run["started_at"]
        return not was_told and start is not None and datetime.fromisoformat(start) >= self._since


def _seconds(start: datetime, end: datetime) -> float:
    # The clock may have been set back in between; nothing lasted less than no time.
    return max(0.0, (end - start).total_seconds())
