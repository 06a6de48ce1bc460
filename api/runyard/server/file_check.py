"""What a run needs on disk, looked for when it is submitted: for servers whose runs start on their own machine."""

from __future__ import annotations

from pathlib import Path

from runyard_cluster.errors import InvalidRequestError


def check(*, script: str | None, cwd: str) -> None:
    """Raise InvalidRequestError when the folder or the script is not there; a relative script lies in the folder."""
    if not Path(cwd).is_dir():
        raise InvalidRequestError(f"cwd not found: {cwd}")
    if script is not None and not Path(cwd, script).is_file():
        raise InvalidRequestError(f"script not found: {script}")
