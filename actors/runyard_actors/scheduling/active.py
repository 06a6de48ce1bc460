"""Active runs by their node, and what they used of memory when it was last measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from runyard_actors.request import Request
from runyard_actors.run import Placement, RunId
from runyard_actors.scheduling.line import Entry
from runyard_actors.scheduling.node import NO_USE, Use


class Active:
    """The runs that hold slots and resources, also those whose node is gone."""

    def __init__(self) -> None:
        self._on: dict[str, dict[RunId, Entry]] = {}
        self._used: dict[RunId, Use] = {}

    def __iter__(self) -> Iterator[Entry]:
        return (entry for entries in self._on.values() for entry in entries.values())

    def add(self, entry: Entry, node: str) -> None:
        """A run is active on a node."""
        self._on.setdefault(node, {})[entry.run.run_id] = entry

    def remove(self, entry: Entry, node: str) -> Use:
        """A run is not active any more; return what it used."""
        del self._on[node][entry.run.run_id]
        return self._used.pop(entry.run.run_id, NO_USE)

    def note_use(self, node: str, used: Mapping[RunId, Use]) -> None:
        """Learn what the runs on a node used."""
        for run_id in self._on.get(node, ()):
            self._used[run_id] = used.get(run_id, NO_USE)

    def held_on(self, node: str) -> Sequence[tuple[Request, Placement, Use]]:
        """Return what the runs on a node declared, where, and what they used."""
        return [
            (entry.run.request, entry.placement, self._used.get(run_id, NO_USE))
            for run_id, entry in self._on.get(node, {}).items()
            if entry.placement is not None
        ]

    def copy_use(self, other: Active) -> None:
        """Know what other books know of what runs used."""
        self._used = dict(other._used)
