"""The folder of one attempt: the one class that knows its files, and what each of them means.

Standard library only: the shim uses it too.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runyard_cluster import process
from runyard_cluster.files import create_exclusively, durable_replace

Json = dict[str, Any]

#: What is read of a report at most, from its end; a module may write as much as it likes.
REPORT_BYTES = 1 << 20
MESSAGE_LENGTH = 1_000
RESULT_BYTES = 64 * 1024


class RunFolder:
    """One attempt's files. Records are JSON, written whole and renamed into place."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, runs: Path, run_id: str, attempt: int) -> RunFolder:
        """Return an attempt's folder; the id's first letters, its time, keep every folder small."""
        return cls(runs / run_id[:6] / run_id / str(attempt))

    @property
    def log_file(self) -> Path:
        """What the module printed, both streams, byte by byte."""
        return self.path / "output.log"

    @property
    def time_index_file(self) -> Path:
        """When the log had grown how far: lines of `offset microseconds`."""
        return self.path / "output.idx"

    @property
    def report_file(self) -> Path:
        """Where the module reports its progress and result."""
        return self.path / "report.jsonl"

    @property
    def lock_file(self) -> Path:
        """Locked by the shim for all of its life."""
        return self.path / "alive"

    @property
    def spec_file(self) -> Path:
        """What the shim is to run; it holds the environment, so it is gone once read."""
        return self.path / "spec.json"

    @property
    def stop_file(self) -> Path:
        """Asks the shim to end the run."""
        return self.path / "stop.json"

    def create(self) -> None:
        """Make the folder, private to its owner."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write_spec(self, data: bytes) -> None:
        """Leave what the shim is to run."""
        durable_replace(self.spec_file, data)

    def claim(self, record: Mapping[str, Any]) -> bool:
        """Decide whether this attempt ever starts; only the first one who asks gets True."""
        return create_exclusively(self.path / "started.json", json.dumps(record).encode())

    def never_start(self, reason: str, detail: str) -> bool:
        """Make sure that this attempt never starts; False when it has started, or nearly so."""
        self.create()
        now = time.time_ns() // 1000
        end = {"reason": str(reason), "reason_detail": detail, "ended_by": "user", "ended_at": now}
        return self.claim({"never_starts": end})

    def started(self) -> Json | None:
        """Return the claim: who supervises this attempt, or why it never starts."""
        return _read(self.path / "started.json")

    def child(self) -> Json | None:
        """Return the module's own process: `pid`, `start`."""
        return _read(self.path / "child.json")

    def write_child(self, record: Mapping[str, Any]) -> None:
        """Record the module's own process."""
        durable_replace(self.path / "child.json", json.dumps(record).encode())

    def exit(self) -> Json | None:
        """Return how the attempt ended; None while it has not."""
        return _read(self.path / "exit.json")

    def write_exit(self, record: Mapping[str, Any]) -> None:
        """Record the end, as the last thing a shim does."""
        durable_replace(self.path / "exit.json", json.dumps(record).encode())

    def is_alive(self) -> bool:
        """Whether a shim holds this attempt: the kernel knows, whatever PIDs say."""
        return process.is_locked(self.lock_file)

    def wait_end(self) -> None:
        """Wait, in the kernel, until no shim holds this attempt."""
        process.wait_unlocked(self.lock_file)

    def request_stop(self, reason: str, detail: str) -> None:
        """Ask the shim to end the run. The file is the request; the signal only makes it look sooner."""
        durable_replace(self.stop_file, json.dumps({"reason": str(reason), "reason_detail": detail}).encode())
        started = self.started()
        if started and "shim_pid" in started:
            process.stop_process(int(started["shim_pid"]), float(started["shim_start"]))

    def stop_request(self) -> Json | None:
        """Return the request to end the run, if there is one."""
        return _read(self.stop_file)

    def log_size(self) -> int:
        """Return the log's size in bytes."""
        return _size(self.log_file)

    def report_mark(self) -> tuple[int, int]:
        """Return what changes whenever the module reports: cheap enough for every second."""
        try:
            found = self.report_file.stat()
        except OSError:
            return (0, 0)
        return (found.st_size, found.st_mtime_ns)

    def report(self) -> Json:
        """Return what the module reported last, field by field; what makes no sense is left out."""
        newest: Json = {}
        for line in _last_lines(self.report_file):
            newest |= _sensible(line)
        return newest


def _sensible(line: bytes) -> Json:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(fields, dict):
        return {}
    found: Json = {}
    progress, message = fields.get("progress"), fields.get("message")
    if isinstance(progress, int | float) and not isinstance(progress, bool) and progress == progress:
        found["progress"] = min(1.0, max(0.0, float(progress)))
    if isinstance(message, str):
        found["message"] = message[:MESSAGE_LENGTH].encode("utf-8", "replace").decode("utf-8")
    if isinstance(fields.get("metrics"), dict):
        found["metrics"] = fields["metrics"]
    if "result" in fields and len(line) <= RESULT_BYTES:
        found["result"] = fields["result"]
    return found


def _last_lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - REPORT_BYTES))
            lines = file.read(REPORT_BYTES).split(b"\n")
    except OSError:
        return []
    return lines[1:] if size > REPORT_BYTES else lines


def _read(path: Path) -> Json | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
