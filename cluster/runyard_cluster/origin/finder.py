"""Finding origins without asking the same twice: an interpreter until its packages change, a folder for seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from runyard_cluster.code import kept_commit
from runyard_cluster.origin.git import git_state
from runyard_cluster.origin.interpreter import current, is_python
from runyard_cluster.origin.origin import Origin

#: For so long it is believed what was found, in seconds; only files are looked at again then, and git.
FRESH_SECONDS = 5.0
#: What is remembered at most of each kind.
REMEMBERED = 1_000


class _Place(NamedTuple):
    """What decides an origin: the interpreter, if it is one, and the folder of the code, or a snapshot of it."""

    python: str | None
    folder: str
    snapshot: str | None


class OriginFinder:
    """May be used from any thread. `known` costs next to nothing, `find` may take as long as git and Python do.

    A run that starts from a snapshot of code, which `digest` names, has the commit that was taken of.
    """

    def __init__(self, snapshots: Path) -> None:
        self._snapshots = snapshots
        self._found: dict[_Place, tuple[float, Origin]] = {}
        self._gate = threading.Lock()

    def known(self, command: Sequence[str], cwd: str, digest: str | None = None) -> Origin | None:
        """Return the origin of a run if it was found a moment ago."""
        found = self._found.get(_place(command[0], command[1] if len(command) > 1 else "", cwd, digest))
        return found[1] if found and time.monotonic() - found[0] < FRESH_SECONDS else None

    def find(self, command: Sequence[str], cwd: str, digest: str | None = None) -> Origin:
        """Return the origin of a run as it is now."""
        place = _place(command[0], command[1] if len(command) > 1 else "", cwd, digest)
        # One at a time: a storm of starts asks once, and the others find the answer.
        with self._gate:
            if known := self.known(command, cwd, digest):
                return known
            at = time.monotonic()
            state = kept_commit(self._snapshots, digest) if digest else git_state(place.folder)
            interpreter = current(place.python) if place.python else None
            origin = Origin(
                python=place.python,
                python_version=interpreter.version if interpreter else None,
                packages=interpreter.packages if interpreter else None,
                commit=state[0] if state else None,
                dirty=state[1] if state else None,
            )
            if len(self._found) >= REMEMBERED:
                self._found.clear()
            self._found[place] = (at, origin)
            return origin


@lru_cache(maxsize=REMEMBERED)
def _place(program: str, first: str, cwd: str, digest: str | None) -> _Place:
    """A script lies where it lies; all else is taken to run code of its folder."""
    if not is_python(program):
        return _Place(None, cwd, digest)
    script = Path(first)
    folder = str(script.parent) if script.suffix == ".py" and script.is_absolute() else cwd
    # Not resolved: the link in an environment's folder is what makes it that environment.
    return _Place(program if Path(program).name == program else str(Path(cwd, program)), folder, digest)
