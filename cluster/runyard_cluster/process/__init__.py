"""Processes on this system: locks that die with their holder, detached starts, trees, cookies.

The only place that asks which system this is. Standard library only: the shim runs without anything else.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from runyard_cluster.process._windows import (
        FileLock,
        boot_id,
        find_by_cookie,
        is_locked,
        is_same_process,
        kill_pids,
        process_start_time,
        spawn_detached,
        stop_process,
        tree,
        tree_proportional_bytes,
        tree_usage,
        wait_unlocked,
    )
else:
    from runyard_cluster.process._posix import (
        FileLock,
        boot_id,
        find_by_cookie,
        is_locked,
        is_same_process,
        kill_pids,
        process_start_time,
        spawn_detached,
        stop_process,
        tree,
        tree_proportional_bytes,
        tree_usage,
        wait_unlocked,
    )

__all__ = [
    "FileLock",
    "boot_id",
    "find_by_cookie",
    "is_locked",
    "is_same_process",
    "kill_pids",
    "process_start_time",
    "spawn_detached",
    "stop_process",
    "tree",
    "tree_proportional_bytes",
    "tree_usage",
    "wait_unlocked",
]
