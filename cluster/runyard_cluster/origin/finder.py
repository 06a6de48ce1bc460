"""Finding origins without asking the same twice: an interpreter until its packages change, a folder for seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from runyard_cluster.origin.git import git_state
from runyard_cluster.origin.interpreter import current, is_python
from runyard_cluster.origin.origin import Origin

#: For so long it is believed what was found, in seconds; only files are looked at again then, and git.
FRESH_SECONDS = 5.0
#: What is remembered at most of each kind.
REMEMBERED = 1_000


class _Place(NamedTuple):
    """What decides an origin: the interpreter, if it is one, and the folder of the code."""

    python: str | None
    folder: str


class OriginFinder:
    """May be used from any thread. `known` costs next to nothing, `find` may take as long as git and Python do."""

    def __init__(self) -> None:
        self._found: dict[_Place, tuple[float, Origin]] = {}
        self._gate = threading.Lock()

    def known(self, command: Sequence[str], cwd: str) -> Origin | None:
        """Return the origin of a run if it was found a moment ago."""
        found = self._found.get(_place(command[0], command[1] if len(command) > 1 else "", cwd))
        return found[1] if found and time.monotonic() - found[0] < FRESH_SECONDS else None

    def find(self, command: Sequence[str], cwd: str) -> Origin:
        """Return the origin of a run as it is now."""
        place = _place(command[0], command[1] if len(command) > 1 else "", cwd)
        # One at a time: a storm of starts asks once, and the others find the answer.
        with self._gate:
            if known := self.known(command, cwd):
                return known
            at = time.monotonic()
            state = git_state(place.folder)
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
def _place(program: str, first: str, cwd: str) -> _Place:
    """A script lies where it lies; all else is taken to run code of its folder."""
    if not is_python(program):
        return _Place(None, cwd)
    script = Path(first)
    folder = str(script.parent) if script.suffix == ".py" and script.is_absolute() else cwd
    # Not resolved: the link in an environment's folder is what makes it that environment.
    return _Place(program if Path(program).name == program else str(Path(cwd, program)), folder)
