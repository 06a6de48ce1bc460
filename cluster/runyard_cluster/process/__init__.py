"""Processes on this system: locks that die with their holder, detached starts, trees, cookies.

The only place that asks which system this is. Standard library only, and little of it: the shim runs without
anything else, and each import is paid for by every run.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from runyard_cluster.process._windows import (
        FileLock,
        boot_id,
        exit_descriptor,
        find_by_cookie,
        held_still,
        is_locked,
        is_same_process,
        kill_pids,
        leave,
        out_of_memory_kills,
        popen_detached,
        process_start_time,
        process_table,
        punch_hole,
        spawn_detached,
        stop_process,
        sweep,
        task_count,
        tree,
        tree_anonymous_bytes,
        tree_size,
        wait_unlocked,
    )
else:
    from runyard_cluster.process._posix import (
        FileLock,
        boot_id,
        exit_descriptor,
        find_by_cookie,
        held_still,
        is_locked,
        is_same_process,
        kill_pids,
        leave,
        out_of_memory_kills,
        popen_detached,
        process_start_time,
        process_table,
        punch_hole,
        spawn_detached,
        stop_process,
        sweep,
        task_count,
        tree,
        tree_anonymous_bytes,
        tree_size,
        wait_unlocked,
    )

__all__ = [
    "FileLock",
    "boot_id",
    "exit_descriptor",
    "find_by_cookie",
    "held_still",
    "is_locked",
    "is_same_process",
    "kill_pids",
    "leave",
    "out_of_memory_kills",
    "popen_detached",
    "process_start_time",
    "process_table",
    "punch_hole",
    "spawn_detached",
    "stop_process",
    "sweep",
    "task_count",
    "tree",
    "tree_anonymous_bytes",
    "tree_size",
    "wait_unlocked",
]
