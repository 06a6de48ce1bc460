"""The folder of one attempt: the one class that knows its files, and what each of them means."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from runyard_actors import attempt_file, attempt_record
from runyard_actors.record_file import CHILD, CLAIM, EXIT, MOST_BYTES, RecordFile, read_record
from runyard_cluster import process
from runyard_cluster.files import durable_replace, read_regular

Json = dict[str, Any]

#: What is read of a report at most, from its end; a module may write as much as it likes.
REPORT_BYTES = 1 << 20
MESSAGE_LENGTH = 1_000
#: Who holds the lock of an attempt without having claimed it only looks, or is about to claim it.
CLAIM_SECONDS, CLAIM_LOOK_SECONDS = 1.0, 0.001
#: A longer line's metrics and result are left out: a report is no place for data.
RESULT_BYTES = 64 * 1024

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_REPORTED = ("progress", "message", "metrics", "result")


class RunFolder:
    """One attempt's files. The record grows by whole lines; other JSON is written whole and renamed into place.

    As text it is its path, which is all that is wanted of most.
    """

    def __init__(self, path: Path | str) -> None:
        self._text = str(path)

    @classmethod
    def of(cls, runs: Path, run_id: str, attempt: int) -> RunFolder:
        """Return an attempt's folder; the id's first letters, its time, keep every folder small."""
        return cls(f"{runs}{os.sep}{run_id[:6]}{os.sep}{run_id}{os.sep}{attempt}")

    def __str__(self) -> str:
        return self._text

    @cached_property
    def path(self) -> Path:
        """Where it is."""
        return Path(self._text)

    @property
    def log_file(self) -> Path:
        """What the module printed, both streams, byte by byte."""
        return self.path / attempt_file.LOG

    @property
    def _locks(self) -> tuple[Path, Path]:
        return self.record_file, self.path / attempt_file.FIRST_LOCK

    @property
    def time_index_file(self) -> Path:
        """When the log had grown how far: lines of `offset microseconds`."""
        return self.path / attempt_file.TIME_INDEX

    @property
    def report_file(self) -> Path:
        """Where the module reports its progress and result."""
        return self.path / attempt_file.REPORT

    @property
    def usage_file(self) -> Path:
        """What the attempt used over time; see `timeline`."""
        return self.path / attempt_file.USAGE

    @property
    def record_file(self) -> Path:
        """Who owns the attempt, its process and its end; locked by the shim for all of its life."""
        return self.path / attempt_file.RECORD

    @property
    def code_copy(self) -> Path:
        """The attempt's own copy of the code that was shipped; afterwards what it wrote in there."""
        return self.path / attempt_file.CODE

    @property
    def spec_file(self) -> Path:
        """What the shim is to run; it holds the environment, so it is gone once read."""
        return self.path / attempt_file.SPEC

    @property
    def stop_file(self) -> Path:
        """Asks the shim to end the run."""
        return self.path / attempt_file.STOP

    @property
    def suspend_file(self) -> Path:
        """Asks the shim to hold the run still, for as long as it is there."""
        return self.path / attempt_file.SUSPEND

    def create(self) -> bool:
        """Make the folder, private to its owner; return whether it is new, with nothing of an attempt in it."""
        try:
            with suppress(FileExistsError):
                self.path.parent.mkdir()
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.path.mkdir(0o700)
        except FileExistsError:
            return False
        return True

    def write_spec(self, data: bytes) -> None:
        """Leave what the shim is to run."""
        durable_replace(self.spec_file, data)

    def claim(self, record: Mapping[str, Any]) -> bool:
        """Decide whether this attempt ever starts; only the first one who asks gets True.

        False, too, where somebody else has held the lock for a second, who is a shim about to start it.
        """
        if self.started() is not None:
            return False
        until = time.monotonic() + CLAIM_SECONDS
        while (file := RecordFile.take(self.record_file)) is None:
            if _size(self.record_file) or time.monotonic() > until:
                return False
            time.sleep(CLAIM_LOOK_SECONDS)
        try:
            return file.claim(dict(record))
        finally:
            file.release()

    def never_start(self, reason: str, detail: str) -> bool:
        """Make sure that this attempt never starts; False when it has started, or nearly so."""
        self.create()
        now = time.time_ns() // 1000
        end = {"reason": str(reason), "reason_detail": detail, "ended_by": "user", "ended_at": now}
        return self.claim({"never_starts": end})

    def started(self) -> Json | None:
        """Return the claim: who supervises this attempt, or why it never starts."""
        found = self._line(CLAIM)
        return None if found is None else attempt_record.claim(found)

    def child(self) -> Json | None:
        """Return the module's own process, `pid` and, if it was not short, `start`, and what holds its limits."""
        found = self._line(CHILD)
        return None if found is None else attempt_record.child(found)

    def exit(self) -> Json | None:
        """Return how the attempt ended; None while it has not."""
        found = self._line(EXIT)
        return None if found is None else attempt_record.exit_record(found)

    def _line(self, kind: str) -> Json | None:
        found = read_record(self.record_file).get(kind)
        return _read(self.path / attempt_file.FIRST_RECORDS[kind]) if found is None else found

    def is_begun(self) -> bool:
        """Whether somebody has claimed this attempt, or is about to."""
        return self.is_alive() or self.started() is not None

    def is_alive(self) -> bool:
        """Whether a shim holds this attempt: the kernel knows, whatever PIDs say."""
        return any(process.is_locked(file) for file in self._locks)

    def wait_end(self) -> None:
        """Wait, in the kernel, until no shim holds this attempt."""
        for file in self._locks:
            process.wait_unlocked(file)

    def request_stop(
        self, reason: str, detail: str, *, ended_by: str = "user", grace_seconds: float | None = None
    ) -> None:
        """Ask the shim to end the run. The file is the request; the signal only makes it look sooner.

        `grace_seconds` overrides what the run was given; asked again with less, the shim waits no longer than that.
        """
        request: Json = {"reason": str(reason), "reason_detail": detail, "ended_by": ended_by}
        if grace_seconds is not None:
            request |= {"grace_seconds": grace_seconds}
        try:
            durable_replace(self.stop_file, json.dumps(request).encode())
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            # A name takes no room where an inode is left: the shim takes an empty request for a plain one.
            self.stop_file.touch(mode=0o600)
        self._nudge()

    def end_supervisor(self) -> None:
        """Kill the shim, one that does not do what it is asked to; what it leaves is ended by its spawner.

        A shim may own another run once this one has ended, which must not die for it.
        """
        if self.is_alive():
            self._signal(kill=True)

    def request_suspend(self) -> None:
        """Ask the shim to hold the whole tree still. The file is the request; repeating it changes nothing."""
        durable_replace(self.suspend_file, b"{}")
        self._nudge()

    def request_resume(self) -> None:
        """Ask the shim to let the tree go on."""
        self.suspend_file.unlink(missing_ok=True)
        self._nudge()

    def suspended_at(self) -> int | None:
        """Return since when the tree is held still, in microseconds since the epoch; None while it is not."""
        found = _read(self.path / attempt_file.SUSPENDED)
        return None if found is None else attempt_record.suspended_at(found)

    def _nudge(self) -> None:
        """Have the shim look at once; it would look anyway."""
        self._signal()

    def _signal(self, *, kill: bool = False) -> None:
        started = self.started()
        if started and {"shim_pid", "shim_start"} <= started.keys():
            process.stop_process(int(started["shim_pid"]), float(started["shim_start"]), kill=kill)

    def log_size(self) -> int:
        """Return the log's size in bytes."""
        return _size(self.log_file)

    def log_gap(self) -> tuple[int, int] | None:
        """Return the offsets between which a log above its limit lost its bytes; they read as zeros."""
        found = _read(self.path / attempt_file.LOG_GAP)
        return None if found is None else attempt_record.gap(found)

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
        for line in reversed(_last_lines(self.report_file)):
            missing = [name for name in _REPORTED if name not in newest and f'"{name}"'.encode() in line]
            if missing:
                found = _sensible(line)
                newest |= {name: found[name] for name in missing if name in found}
            if len(newest) == len(_REPORTED):
                break
        return newest


def _sensible(line: bytes) -> Json:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(fields, dict):
        return {}
    found: Json = {}
    progress, message, metrics = fields.get("progress"), fields.get("message"), fields.get("metrics")
    if isinstance(progress, int | float) and not isinstance(progress, bool) and progress == progress:
        found["progress"] = float(min(1, max(0, progress)))
    if isinstance(message, str):
        found["message"] = message[:MESSAGE_LENGTH].encode("utf-8", "replace").decode("utf-8")
    if isinstance(metrics, dict) and _is_storable(metrics, line):
        found["metrics"] = metrics
    if "result" in fields and _is_storable(fields["result"], line):
        found["result"] = fields["result"]
    return found


def _is_storable(value: object, line: bytes) -> bool:
    """Python reads more than JSON: NaN, Infinity and halves of characters, which no database or browser takes."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return False
    return len(line) <= RESULT_BYTES


def _last_lines(path: Path) -> list[bytes]:
    data = read_regular(path, REPORT_BYTES, from_end=True)
    if data is None:
        return []
    lines = data.split(b"\n")
    return lines[1:] if _size(path) > REPORT_BYTES else lines


def _read(path: Path) -> Json | None:
    try:
        found = json.loads(read_regular(path, MOST_BYTES) or b"")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
