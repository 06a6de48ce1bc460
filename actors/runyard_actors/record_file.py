"""The record of an attempt: who owns it, what its process is, how it ended, a line each.

Whoever holds the lock of the file owns the attempt, and only they write. The first line decides whether the attempt
ever starts, so a file that holds anything is claimed, whatever that is. It is one file, not four: to make one is most
of what a record costs.

Standard library only, and little of it: the shim uses this, and each import is paid for by every run.
"""

from __future__ import annotations

import errno
import os

from runyard_actors.shim.quick_json import dumps, loads
from runyard_cluster.files import read_regular
from runyard_cluster.process import FileLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    Json = dict[str, Any]

#: What the lines hold, each an object with this one key.
CLAIM, CHILD, EXIT = "claim", "child", "exit"
#: The first line takes the room of all of them, so that a full disk cannot keep a run from telling how it ended.
RECORD_BYTES = 4096
#: What is read of a record at most: ours are hardly longer than that, but the module may write there, too.
MOST_BYTES = 1 << 20


class RecordFile:
    """A record in the hands of who holds its lock."""

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock
        self._end = 0

    @classmethod
    def take(cls, path: Path | str) -> RecordFile | None:
        """Take the lock, making the file if needed; None when somebody else has it. Raises OSError."""
        lock = FileLock.acquire(path)
        return None if lock is None else cls(lock)

    def claim(self, claim: Json) -> bool:
        """Decide whether this attempt ever starts; only the first one who asks gets True. Raises OSError.

        Not synced to the disk: a power cut ends this boot, and with it the attempt, as the boot's id tells the store.
        """
        descriptor = self._lock.descriptor
        if os.fstat(descriptor).st_size:
            return False
        line = _line(CLAIM, claim)
        room = b" " * (RECORD_BYTES - len(line))
        try:
            _write(descriptor, 0, line + room)
        except OSError:
            os.ftruncate(descriptor, 0)
            raise
        self._end = len(line)
        return True

    def add(self, kind: str, value: Json) -> None:
        """Add a line. Raises OSError, and then may be asked again."""
        line = _line(kind, value)
        _write(self._lock.descriptor, self._end, line)
        self._end += len(line)

    def release(self) -> None:
        """Give the lock back. What was taken for lines that did not come is given back before that."""
        try:
            if self._end:
                os.ftruncate(self._lock.descriptor, self._end)
        finally:
            self._lock.release()


def read_record(path: Path | str) -> dict[str, Json]:
    """Return the lines by their kind, the first of each; what makes no sense is left out."""
    found: dict[str, Json] = {}
    for line in (read_regular(path, MOST_BYTES) or b"").split(b"\n")[:-1]:
        for kind, value in _fields(line).items():
            if isinstance(value, dict):
                found.setdefault(kind, value)
    return found


def _fields(line: bytes) -> Json:
    try:
        fields = loads(line.decode())
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _line(kind: str, value: Json) -> bytes:
    return dumps({kind: value}).encode() + b"\n"


def _write(descriptor: int, offset: int, data: bytes) -> None:
    os.lseek(descriptor, offset, os.SEEK_SET)
    view = memoryview(data)
    while view:
        written = os.write(descriptor, view)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        view = view[written:]
