"""The module registry as the server works with it: read once, and again after a change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from runyard_actors.store.reader import StoreReader
from runyard_cluster.settings import ModuleSettings

log = logging.getLogger("runyard.server")


class Registry:
    """The modules of runyard.toml, which stand in front, and those put there over REST.

    All changes go through this server, which says `forget` after each. May be used from any thread.
    """

    def __init__(self, of_file: Mapping[str, ModuleSettings], reader: StoreReader) -> None:
        self._of_file = of_file
        self._reader = reader
        self._gate = threading.Lock()
        self._changes = 0
        self._known: Mapping[str, ModuleSettings] | None = None

    @property
    def known(self) -> Mapping[str, ModuleSettings] | None:
        """The modules, or None while they must be read."""
        return self._known

    def read(self) -> Mapping[str, ModuleSettings]:
        """Return the modules as the store has them now. Raises StoreUnavailable."""
        changes = self._changes
        modules = {**dict(self._put_modules()), **self._of_file}
        with self._gate:
            # What was read while it changed may be the old state, and is good for this call only.
            if changes == self._changes:
                self._known = modules
        return modules

    def forget(self) -> None:
        """Read anew from now on: a module was put or deleted, or another store may be there."""
        with self._gate:
            self._changes += 1
            self._known = None

    def _put_modules(self) -> Iterator[tuple[str, ModuleSettings]]:
        for module_id, module in self._reader.modules().items():
            try:
                yield module_id, ModuleSettings.model_validate(module)
            except ValidationError as error:
                # Put there by another version. The error itself would tell values of its environment.
                log.warning(
                    "module %r of the registry is not understood (%d errors)", module_id, error.error_count()
                )
