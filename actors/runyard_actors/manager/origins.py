"""Origins as texts: each different one is written out once, for thousands of starts that share it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

from runyard_cluster.origin.finder import OriginFinder
from runyard_cluster.origin.origin import Origin, origin_to_json


class Origins:
    """What the finder knows, as JSON."""

    def __init__(self) -> None:
        self._finder = OriginFinder()

    def known(self, command: Sequence[str], cwd: str) -> str | None:
        """Return the origin of a run if it was found a moment ago."""
        found = self._finder.known(command, cwd)
        return None if found is None else _text(found)

    def find(self, command: Sequence[str], cwd: str) -> str:
        """Return the origin of a run as it is now; takes as long as git and Python do."""
        return _text(self._finder.find(command, cwd))


@lru_cache(maxsize=256)
def _text(origin: Origin) -> str:
    return json.dumps(origin_to_json(origin), separators=(",", ":"))
