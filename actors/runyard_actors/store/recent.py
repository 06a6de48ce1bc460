"""What modules did lately, read from the store once in a few seconds however many ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from runyard_actors.learning.learn import NEWEST
from runyard_actors.learning.past import PastRun
from runyard_actors.store.reader import StoreReader

#: How old an answer may be, in seconds: advice and estimates do not change with one run more.
FRESH_SECONDS = 5.0
#: Modules remembered at once; an ad-hoc run can have any name.
_KEPT = 1_000


class Recent:
    """The newest runs of modules, completed and failed. May be asked in any thread."""

    def __init__(self, reader: StoreReader, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._clock = clock
        self._gate = threading.Lock()
        self._known: dict[str, tuple[float, Sequence[PastRun]]] = {}

    def runs(self, module_id: str) -> Sequence[PastRun]:
        """Return up to `NEWEST` runs of a module that ended, newest first. Raises StoreUnavailable."""
        now = self._clock()
        with self._gate:
            at, runs = self._known.get(module_id, (now - FRESH_SECONDS, ()))
        if now - at < FRESH_SECONDS:
            return runs
        runs = self._reader.past_runs(module_id, NEWEST, with_failed=True)
        with self._gate:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[module_id] = (now, runs)
        return runs
