"""Where this process may make control groups for what it starts: version 2 of Linux, in a part that is its own.

That is so for root, for a service or scope of systemd (`Delegate=yes`), for what runs below a user's systemd, and
in a container that may write its cgroups. Elsewhere, and on other systems, there is no such place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

#: Where version 2 is mounted: alone, or beside version 1.
_MOUNTS = ("sys/fs/cgroup", "sys/fs/cgroup/unified")
#: What runs are limited by, the dearest to do without first.
_CONTROLLERS = ("memory", "pids", "cpu")


def delegated_group(root: Path = Path("/")) -> Path | None:
    """Return the nearest group below which runs can have groups of their own that limit memory, or None.

    A group that limits nothing is not worth what making it costs each run: a subreaper finds a tree as surely.
    `root` is where the system's files begin.
    """
    return next((folder for folder in writable_groups(root) if "memory" in _enabled(folder)), None)


def writable_groups(root: Path = Path("/")) -> Iterator[Path]:
    """Yield the groups below which others can be made, limited or not, the nearest first."""
    for folder in _own_and_above(root):
        if not _takes_groups(folder):
            return
        yield folder


def limits_below(group: Path) -> set[str]:
    """Return what the kernel limits in the groups below this one: "memory", "pids", "cpu"."""
    return set(_words(group / "cgroup.subtree_control")) & set(_CONTROLLERS)


def _own_and_above(root: Path) -> Iterator[Path]:
    mount = next((root / m for m in _MOUNTS if (root / m / "cgroup.controllers").exists()), None)
    own = next((line[3:] for line in _words(root / "proc/self/cgroup", "\n") if line.startswith("0::")), None)
    if mount is None or own is None or ".." in own:
        return
    group = mount / own.lstrip("/")
    yield group
    while group != mount:
        group = group.parent
        yield group


def _takes_groups(folder: Path) -> bool:
    """Whether a group can be made here, and a process moved down into it: that wants both to be writable."""
    return os.access(folder, os.W_OK | os.X_OK) and os.access(folder / "cgroup.procs", os.W_OK)


def _enabled(folder: Path) -> set[str]:
    """Return what limits the groups below, after trying to have what is missing.

    A group that holds processes itself cannot, unless it is the topmost; the kernel refuses, and that is all.
    """
    available = set(_words(folder / "cgroup.controllers"))
    enabled = set(_words(folder / "cgroup.subtree_control"))
    for name in _CONTROLLERS:
        if name in available - enabled:
            try:
                (folder / "cgroup.subtree_control").write_text(f"+{name}")
            except OSError:
                continue
            enabled.add(name)
    return enabled


def _words(path: Path, separator: str | None = None) -> list[str]:
    try:
        return path.read_text("utf-8").split(separator)
    except (OSError, ValueError):
        return []
