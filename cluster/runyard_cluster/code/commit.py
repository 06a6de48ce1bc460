"""The commit a snapshot was taken of, kept beside it: equal content is kept once, whatever commits have it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from runyard_cluster.files import durable_replace
from runyard_cluster.origin.git import git_state

Commit = tuple[str, bool]


def keep_commit(root: Path, folder: Path, digest: str) -> None:
    """Note which commit `root` is at, and whether tracked files differ from it.

    One that has just this content says more than one that differs from it, so it stays.
    """
    commit, known = git_state(str(root)), kept_commit(folder, digest)
    if commit is None or (known and commit[1] and not known[1]):
        commit = known
    if commit is not None:
        durable_replace(_file(folder, digest), json.dumps(commit).encode())


def kept_commit(folder: Path, digest: str) -> Commit | None:
    """Return the commit that a snapshot was taken of; None where that is not known."""
    with suppress(OSError, ValueError, TypeError):
        commit, is_dirty = json.loads(_file(folder, digest).read_bytes())
        return str(commit), bool(is_dirty)
    return None


def _file(folder: Path, digest: str) -> Path:
    return folder / f"{digest}.commit"
