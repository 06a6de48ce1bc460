"""Files that other processes read while they are written: whole or not there, never half.

Standard library only, and little of it: the shim uses this, and each import is paid for by every run.
"""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

#: What systems answer where a folder cannot hold hard links.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def durable_replace(path: Path | str, data: bytes, *, fsync: bool = False) -> None:
    """Put `data` in the place of `path` in one step, readable by the owner only.

    With `fsync` it also survives a power cut; without, a crash of any process.
    """
    beside = _write_beside(path, data, fsync)
    os.replace(beside, path)
    if fsync:
        sync_folder(os.path.dirname(path) or ".")


def create_exclusively(path: Path | str, data: bytes) -> bool:
    """Create `path` with `data` in one step; return False when it was there already, however it came there."""
    beside = _write_beside(path, data, fsync=False)
    try:
        os.link(beside, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _create(path, data)
    finally:
        os.unlink(beside)
    return True


def read_regular(path: Path | str, most_bytes: int, *, from_end: bool = False) -> bytes | None:
    """Return a file's bytes, the first or the last `most_bytes` of it; None where there is no such file.

    Whatever somebody put in its place, a pipe or a device too, this neither waits nor reads without end.
    """
    flags = (
        os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
    )
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return None
        with open(descriptor, "rb", closefd=False) as file:
            file.seek(max(0, found.st_size - most_bytes) if from_end else 0)
            return file.read(most_bytes)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def sync_folder(folder: Path | str) -> None:
    """Make a folder's entries durable, where the system has such a thing."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _create(path: Path | str, data: bytes) -> bool:
    """Without hard links a reader may for a moment see the file without its data, but still only one creates it."""
    try:
        _write(path, data, fsync=False)
    except FileExistsError:
        return False
    return True


def _write_beside(path: Path | str, data: bytes, fsync: bool) -> str:
    folder, name = os.path.split(path)
    beside = os.path.join(folder, f".{name}.{os.urandom(4).hex()}")
    try:
        _write(beside, data, fsync)
    except OSError:
        if os.path.exists(beside):
            os.unlink(beside)
        raise
    return beside


def _write(path: Path | str, data: bytes, fsync: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        if fsync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
