"""Dependencies: which runs wait for which others, and what the end of one means for those after it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Sequence

from runyard_actors.run import RunId

#: How many ends are remembered, the newest of them. A run that is submitted while what it comes after ends must
#: not wait for ever, and a submission takes no longer than this many ends.
REMEMBERED = 20_000


class Dependencies:
    """Edges from runs to those that come after them, and how lately ended runs ended."""

    def __init__(self) -> None:
        self._missing: dict[RunId, dict[RunId, None]] = {}
        self._after: dict[RunId, dict[RunId, None]] = {}
        self._ended: OrderedDict[RunId, bool] = OrderedDict()

    def __len__(self) -> int:
        return len(self._missing)

    @property
    def waiting(self) -> Sequence[RunId]:
        """The runs that wait for others."""
        return tuple(self._missing)

    def add(self, run_id: RunId, after: Sequence[RunId], known: Container[RunId]) -> RunId | None:
        """Have a run wait for those of `after` that have not ended.

        Returns one of them that will never complete, if any: it did not, or it is not `known` to have not ended.
        """
        lost = next((each for each in after if not self._ended.get(each, each in known)), None)
        missing = dict.fromkeys(each for each in after if each not in self._ended)
        if lost is None and missing:
            self._missing[run_id] = missing
            for each in missing:
                self._after.setdefault(each, {})[run_id] = None
        return lost

    def missing(self, run_id: RunId) -> Sequence[RunId]:
        """Return what a run still waits for."""
        return tuple(self._missing.get(run_id, ()))

    def forget(self, run_id: RunId) -> None:
        """A waiting run is gone."""
        for each in self._missing.pop(run_id, ()):
            self._after[each].pop(run_id, None)
            if not self._after[each]:
                del self._after[each]

    def tell(self, run_id: RunId, *, succeeded: bool) -> Sequence[RunId]:
        """Note how a run ended; return the runs after it that wait for nothing more, or that never may start."""
        self._ended[run_id] = succeeded
        after = tuple(self._after.pop(run_id)) if run_id in self._after else ()
        for each in after:
            self._missing[each].pop(run_id)
        if not succeeded:
            for each in after:
                self.forget(each)
            return after
        free = tuple(each for each in after if not self._missing[each])
        for each in free:
            del self._missing[each]
        return free

    def trim(self) -> None:
        """Forget the oldest ends."""
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
