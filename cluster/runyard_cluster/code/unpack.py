"""Unpack: each attempt gets a copy of its snapshot, to read and to write as it likes."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

#: All files of a snapshot have this time: one that still has it was not changed by the run.
_UNCHANGED_NS = 315_532_800 * 1_000_000_000  # 1980, which also ZIP archives can hold


def unpack(archive: Path, copy: Path) -> None:
    """Make a copy of a snapshot, anew if something of one is there. Raises OSError."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(mode=0o700, parents=True)
    try:
        with tarfile.open(archive) as found:
            # Links that lead out of the folder are wanted; newer Pythons refuse them unless told so.
            found.extraction_filter = _as_it_is
            for member in found:
                # The archive is our own, yet nothing of it is ever to land anywhere else.
                if member.name.startswith("/") or ".." in member.name.split("/"):
                    continue
                member.mtime = _UNCHANGED_NS / 1_000_000_000
                found.extract(member, copy, set_attrs=not member.issym())
    except tarfile.TarError as error:
        raise OSError(0, f"the snapshot is damaged ({error})", str(archive)) from error


def forget_unchanged(copy: Path) -> None:
    """Remove from a copy what is as it was in the snapshot; what the run wrote stays."""
    for folder, names, files in os.walk(copy, topdown=False):
        for name in files:
            path = Path(folder, name)
            state = path.lstat()
            if path.is_symlink() or state.st_mtime_ns == _UNCHANGED_NS:
                path.unlink()
        for name in names:
            _remove_if_empty(Path(folder, name))
    _remove_if_empty(copy)


def _as_it_is(member: tarfile.TarInfo, _: str) -> tarfile.TarInfo:
    return member


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.unlink() if folder.is_symlink() else folder.rmdir()
    except OSError:
        return
