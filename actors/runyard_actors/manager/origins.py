"""Origins as texts: each different one is written out once, for thousands of starts that share it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from runyard_actors.run import RunSpec
from runyard_cluster.code import kept_commit
from runyard_cluster.origin.finder import OriginFinder
from runyard_cluster.origin.origin import Origin, origin_to_json


class OriginPlace(NamedTuple):
    """What an origin is found by: program and first argument, folder, and the snapshot of code, if it is one."""

    command: tuple[str, ...]
    cwd: str
    digest: str | None

    @classmethod
    def of(cls, spec: RunSpec) -> OriginPlace:
        """Return that of a run."""
        return cls(tuple(spec.command[:2]), spec.cwd, spec.code.digest if spec.code else None)


class Origins:
    """What is known of origins, as JSON. `snapshots` is the folder with those of code."""

    def __init__(self, snapshots: Path) -> None:
        self._snapshots = snapshots
        self._finder = OriginFinder(snapshots)

    def known(self, place: OriginPlace) -> str | None:
        """Return the origin of a run on this node if it was found a moment ago."""
        found = self._finder.known(*place)
        return None if found is None else _text(found)

    def find(self, places: Sequence[OriginPlace]) -> list[str]:
        """Return the origins of runs on this node as they are now; takes as long as git and Python do."""
        return [_text(self._finder.find(*place)) for place in places]

    def found_there(self, places: Sequence[OriginPlace], origins: Sequence[Origin]) -> list[str]:
        """Return what another node found, with the commits of the snapshots that it was sent."""
        return [_text(self._completed(*each)) for each in zip(places, origins, strict=True)]

    def _completed(self, place: OriginPlace, origin: Origin) -> Origin:
        commit = kept_commit(self._snapshots, place.digest) if place.digest else None
        return replace(origin, commit=commit[0], dirty=commit[1]) if commit else origin


@lru_cache(maxsize=256)
def _text(origin: Origin) -> str:
    return json.dumps(origin_to_json(origin), separators=(",", ":"))
