"""Code store: the snapshots that a node was sent, on its own disk; those that nobody asked for in days are removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

from runyard_cluster.code import archive_name

#: A snapshot that no run started from for so many seconds is removed; it is sent again when one does.
KEPT_SECONDS = 7 * 86_400.0


def has_code(folder: Path, digest: str) -> bool:
    """Whether the node has a snapshot; it counts as used now."""
    try:
        os.utime(_file(folder, digest))
    except FileNotFoundError:
        return False
    return True


def put_code(folder: Path, digest: str, offset: int, data: bytes, *, is_last: bool) -> None:
    """Take a part of a snapshot; it is there once the last one is. Parts may come again."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = _file(folder, digest).with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.seek(offset)
        file.write(data)
        file.truncate()
    if is_last:
        part.replace(_file(folder, digest))


def forget_old_code(folder: Path) -> None:
    """Remove what was not used for long."""
    before = time.time() - KEPT_SECONDS
    for path in folder.glob("*.*"):
        if path.stat().st_mtime < before:
            path.unlink(missing_ok=True)


def _file(folder: Path, digest: str) -> Path:
    return folder / archive_name(digest)
