"""The shim's life: lock, claim, start, watch, end, record. It reads like a table of contents, on purpose."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from runyard_actors.run_folder import RunFolder
from runyard_actors.shim import system
from runyard_actors.shim.spec import ShimSpec
from runyard_actors.shim.verdict import verdict
from runyard_actors.shim.watch import Watch
from runyard_cluster import process
from runyard_cluster.failpoint import hit
from runyard_cluster.process import FileLock

#: Those who only look at the lock hold it for microseconds; another shim holds it for good.
LOCK_SECONDS = 1.0
LOCK_LOOK_SECONDS = 0.01


def main(path: str) -> None:
    """Own the attempt whose folder is `path`, from here to its end."""
    system.leave_parent()
    folder = RunFolder(Path(path))
    try:
        lock = _lock(folder)
        if lock is None:
            return _answer(event="refused", why="locked")
        own(folder)
    except BaseException:
        (folder.path / "shim.err").write_text(traceback.format_exc())
        raise


def own(folder: RunFolder) -> None:
    """Run the attempt of a folder that this process has locked."""
    hit("shim.locked")
    enforcement = system.prepare()
    started_at, monotonic_start = time.time_ns() // 1000, time.monotonic()
    claim = {
        "shim_pid": os.getpid(),
        "shim_start": process.process_start_time(os.getpid()),
        "boot_id": process.boot_id(),
        "started_at": started_at,
        "enforcement": enforcement,
    }
    if not folder.claim(claim):
        return _answer(event="refused", why="claimed")
    hit("shim.claimed")
    spec = ShimSpec.from_json(folder.spec_file.read_bytes())
    folder.spec_file.unlink()
    child, error = system.spawn(spec, folder)
    if child is None:
        folder.write_exit(
            {
                "reason": "start_error",
                "reason_detail": error,
                "ended_by": "self",
                "ended_at": time.time_ns() // 1000,
                "log_bytes": folder.log_size(),
            }
        )
        return _answer(event="start_error", why=error)
    hit("shim.spawned")
    folder.write_child({"pid": child.pid, "start": process.process_start_time(child.pid)})
    hit("shim.child_written")
    _answer(event="started", pid=child.pid, shim_pid=os.getpid(), started_at=started_at)
    watch = Watch(folder, spec, child, monotonic_start)
    watch.until_main_ended()
    hit("shim.main_ended")
    stragglers = child.end_tree(spec.nonce)
    hit("shim.before_exit")
    folder.write_exit(
        {
            **verdict(child, watch.stop, spec),
            "started_at": started_at,
            "ended_at": time.time_ns() // 1000,
            "cpu_seconds": round(child.cpu_seconds, 6),
            "peak_memory": child.peak(watch.peak_memory),
            "log_bytes": folder.log_size(),
            "stragglers": stragglers,
        }
    )
    hit("shim.after_exit")
    return None


def _lock(folder: RunFolder) -> FileLock | None:
    end = time.monotonic() + LOCK_SECONDS
    while True:
        lock = FileLock.acquire(folder.lock_file)
        if lock is not None or time.monotonic() > end:
            return lock
        time.sleep(LOCK_LOOK_SECONDS)


def _answer(**fields: Any) -> None:
    """Tell whoever launched this shim, who may be dead already, and close the line to it."""
    try:
        os.write(1, json.dumps(fields).encode() + b"\n")
    except OSError:
        pass
    system.close_answer()


if __name__ == "__main__":
    main(sys.argv[1])
