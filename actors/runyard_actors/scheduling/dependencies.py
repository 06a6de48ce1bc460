"""Dependencies: which runs wait for which others, and what the end of one means for those after it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from runyard_actors.run import RunId

#: Ends remembered, so that a run submitted while what it waits for ends is not left waiting.
REMEMBERED = 10_000


class Dependencies:
    """Edges from runs to those that come after them, and how lately ended runs ended."""

    def __init__(self) -> None:
        self._after: dict[RunId, list[RunId]] = {}
        self._ended: OrderedDict[RunId, bool] = OrderedDict()

    def outcome(self, run_id: RunId) -> bool | None:
        """Return whether an ended run succeeded; None if it has not ended or is not remembered."""
        return self._ended.get(run_id)

    def wait(self, run_id: RunId, missing: Sequence[RunId]) -> None:
        """Have a run wait for others."""
        for each in missing:
            self._after.setdefault(each, []).append(run_id)

    def ended(self, run_id: RunId, *, succeeded: bool) -> Sequence[RunId]:
        """Note how a run ended; return those that waited for it."""
        self._ended[run_id] = succeeded
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        return self._after.pop(run_id, ())
