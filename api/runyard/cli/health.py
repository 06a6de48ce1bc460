"""Facts about this machine: what can be enforced, by what means, and what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from runyard.cli import health_watch
from runyard.cli.fact import Fact
from runyard_cluster.database_url import PostgresUrl
from runyard_cluster.delegation import delegated_group, limits_below
from runyard_cluster.errors import RunyardError
from runyard_cluster.locate import find_config, locate
from runyard_cluster.sizes import format_size

if TYPE_CHECKING:
    from runyard_cluster.pause import Own, Rule

#: What has the kernel hold limits, on a Linux with systemd.
DELEGATE = "; the kernel holds it for a server of `systemd-run --user --scope -p Delegate=yes runyard up`"
#: Below this, logs and history soon have no room.
LITTLE_DISK = 1 << 30
#: SQLite before this can damage a database that two connections write; ours has one writer.
SOUND_SQLITE = (3, 51, 3)


def facts(config: Path | None) -> list[Fact]:
    """Look at everything; nothing is changed and no server is needed."""
    return [
        _system(),
        _ray(),
        _database(config),
        _settings(config),
        _data_folder(config),
        _memory(),
        _whole_tree(),
        _cpu(),
        _processes(),
        health_watch.machine_memory(),
        health_watch.stalls(),
        *health_watch.gpus(),
        health_watch.ray_memory_monitor(config),
        *_pause_rules(config),
    ]


def _system() -> Fact:
    detail = f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} CPUs"
    return Fact("system", "good", detail)


def _ray() -> Fact:
    try:
        return Fact("Ray", "good", version("ray"), True)
    except PackageNotFoundError:
        return Fact("Ray", "missing", "install it: pip install 'ray[default]'", True)


def _database(config: Path | None) -> Fact:
    with suppress(RunyardError):  # That settings cannot be read is a fact of its own.
        where = locate(config).database
        if isinstance(where, PostgresUrl):
            return _postgresql(where)
    words = f"SQLite {sqlite3.sqlite_version}"
    if sqlite3.sqlite_version_info < SOUND_SQLITE:
        return Fact("database", "good", f"{words}; sound with one writer, which is what runyard has", True)
    return Fact("database", "good", words, True)


def _postgresql(where: PostgresUrl) -> Fact:
    from runyard_actors.store.database import server_version

    try:
        return Fact("database", "good", f"{server_version(where)} at {where}", True)
    except RunyardError as error:
        return Fact("database", "missing", str(error), True)


def _settings(config: Path | None) -> Fact:
    try:
        from runyard_cluster.settings import load_settings

        load_settings(config)
        found = find_config(config)
    except RunyardError as error:
        return Fact("settings", "missing", str(error), True)
    return Fact("settings", "good", str(found or "defaults; no runyard.toml"))


def _data_folder(config: Path | None) -> Fact:
    try:
        path = locate(config).path
    except RunyardError as error:
        return Fact("data folder", "missing", str(error), True)
    try:
        existing = next(p for p in (path, *path.parents) if p.exists())
    except OSError as error:
        return Fact("data folder", "missing", f"{path} cannot be used: {error.strerror}")
    if not existing.is_dir():
        return Fact("data folder", "missing", f"{path} cannot be used: {existing} is no folder")
    if not os.access(existing, os.W_OK):
        return Fact("data folder", "missing", f"{path} cannot be written", True)
    free = shutil.disk_usage(existing).free
    state = "good" if free > LITTLE_DISK else "limited"
    return Fact("data folder", state, f"{path}, {format_size(free)} free")


def _memory() -> Fact:
    if "memory" in _kernel_limits():
        return Fact("memory limit", "good", "control group: the kernel holds it, to the page")
    if Path("/proc/self/smaps_rollup").exists():
        words = f"the supervisor adds up the tree and stops it; some MiB late{DELEGATE}"
        return Fact("memory limit", "good", words)
    return Fact("memory limit", "limited", "the supervisor adds up what it can see of the tree")


def _whole_tree() -> Fact:
    if delegated_group() is not None:
        return Fact("whole tree", "good", "control group and subreaper: no descendant outlives its run")
    if Path("/proc/self/task").exists():
        return Fact("whole tree", "good", "subreaper: no descendant outlives its run")
    return Fact("whole tree", "limited", "descendants are found by their environment")


def _cpu() -> Fact:
    share = "weight by num_cpus" if "cpu" in _kernel_limits() else "lower priority than other programs"
    words = f"declared and scheduled, thread counts set, {share}"
    if "cpu" not in _kernel_limits() and sys.platform == "linux":
        words += DELEGATE
    if hasattr(os, "sched_getaffinity"):
        words += f"; {len(os.sched_getaffinity(0))} CPUs usable"
    return Fact("CPU", "limited", words)


def _processes() -> Fact:
    if "pids" in _kernel_limits():
        return Fact("number of processes", "good", "control group: the kernel holds it, threads included")
    if sys.platform == "linux":
        return Fact("number of processes", "good", "the supervisor counts the tree and stops it")
    return Fact("number of processes", "limited", "the supervisor counts what it can see of the tree")


def _kernel_limits() -> set[str]:
    group = delegated_group()
    return limits_below(group) if group else set()


def _pause_rules(config: Path | None) -> list[Fact]:
    try:
        from runyard_cluster.pause import Own, parse_rule
        from runyard_cluster.settings import load_settings

        rules = load_settings(config).pause_when
    except RunyardError:
        return []  # That settings cannot be read is a fact of its own.
    return [_pause_rule(words, parse_rule(words), Own()) for words in rules]


def _pause_rule(words: str, rule: Rule, own: Own) -> Fact:
    missing = rule.missing()
    if missing:
        return Fact("pause_when", "limited", f"{words}: not available here, so it never holds: {missing}")
    now = rule.holds(own)
    return Fact("pause_when", "good", f"{words}: {f'paused {now}' if now else 'does not hold now'}")
