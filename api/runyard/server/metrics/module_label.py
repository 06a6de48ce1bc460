"""Labels of modules: bounded in number, since each one costs the watcher some twenty series."""

from __future__ import annotations

from collections.abc import Iterable

#: Modules that get a label of their own in one server's life.
LIMIT = 200
OTHER = "other"


class ModuleLabels:
    """Gives the first modules labels of their own, those of the settings before all, and `other` to the rest."""

    def __init__(self, first: Iterable[str] = (), *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._known: set[str] = set()
        for module_id in first:
            self.of(module_id)

    def of(self, module_id: str) -> str:
        """Return the module's label; the same one for the whole life of the server."""
        if module_id in self._known:
            return module_id
        if len(self._known) < self._limit:
            self._known.add(module_id)
            return module_id
        return OTHER
