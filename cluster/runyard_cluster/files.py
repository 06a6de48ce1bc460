"""Files that other processes read while they are written: whole or not there, never half."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def durable_replace(path: Path, data: bytes, *, fsync: bool = False) -> None:
    """Put `data` in the place of `path` in one step, readable by the owner only.

    With `fsync` it also survives a power cut; without, a crash of any process.
    """
    beside = _write_beside(path, data, fsync)
    os.replace(beside, path)
    if fsync:
        sync_folder(path.parent)


def create_exclusively(path: Path, data: bytes) -> bool:
    """Create `path` with `data` in one step; return False when it was there already, however it came there."""
    beside = _write_beside(path, data, fsync=False)
    try:
        os.link(beside, path)
    except FileExistsError:
        return False
    finally:
        beside.unlink()
    return True


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable, where the system has such a thing."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_beside(path: Path, data: bytes, fsync: bool) -> Path:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, data)
        if fsync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return beside
