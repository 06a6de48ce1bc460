"""A small disk of a server's own: a tmpfs that only its mount namespace has, so no rights are needed to make it."""

from __future__ import annotations

import errno
import shutil
import subprocess
from pathlib import Path

import pytest

_MOUNT = 'mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@"'


def on_small_disk(place: Path, options: str = "size=4m") -> tuple[str, ...]:
    """Return what to put before a command so that it finds a disk of its own at `place`; skip where that can't be."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    place.mkdir(parents=True, exist_ok=True)
    prefix = ("unshare", "-Urm", "sh", "-c", _MOUNT, "sh", options, str(place))
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no mounts of one's own here: {tried.stderr.strip()}")
    return prefix


class SmallDisk:
    """The disk of a process that was started so, seen from outside."""

    def __init__(self, pid: int, place: Path) -> None:
        self.root = Path(f"/proc/{pid}/root{place}")
        self._ballast = self.root / "ballast"

    def fill(self) -> None:
        """Leave no byte free."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while file.write(b"\0" * size) == size:
                        pass
                except OSError as error:
                    assert error.errno == errno.ENOSPC

    def empty(self) -> None:
        """Give all of it back."""
        self._ballast.unlink()
