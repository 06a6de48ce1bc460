"""The state of the code in a folder, as git has it."""

from __future__ import annotations

import os
import shutil
import subprocess

#: A git that takes longer, as over a slow network file system, is not waited for.
SECONDS = 5.0


def git_state(folder: str) -> tuple[str, bool] | None:
    """Return the commit that is checked out, and whether tracked files differ from it; None where there is none.

    No lock is taken, and nothing is run that the repository's own settings name for watching files.
    """
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "-c", "core.fsmonitor=false", "-C", folder, "status", "--porcelain=v2", "--branch"]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            [*command, "--untracked-files=no", "--ignore-submodules=dirty"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            env=environ,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return _read(done.stdout.decode("utf-8", "replace")) if done.returncode == 0 else None


def _read(text: str) -> tuple[str, bool] | None:
    commit, is_dirty = None, False
    for line in text.splitlines():
        if line.startswith("# branch.oid "):
            commit = line.split(" ", 2)[2]
        elif not line.startswith("#"):
            is_dirty = True
    return None if commit in (None, "(initial)") else (str(commit), is_dirty)
