"""Holding: runs that wait for a moment or for a person, and moments by which runs must have started."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush

from runyard_actors.run import RunId
from runyard_actors.scheduling.decision import Gates

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Holding:
    """All moments are microseconds since the epoch. A run that nothing is said of costs nothing."""

    def __init__(self) -> None:
        self._held: dict[RunId, None] = {}
        self._not_before: dict[RunId, int] = {}
        self._deadlines: dict[RunId, int] = {}
        self._moments: list[tuple[int, RunId]] = []

    def __bool__(self) -> bool:
        return bool(self._held or self._not_before or self._deadlines)

    @property
    def runs(self) -> Sequence[RunId]:
        """The runs that are held, or wait for a moment."""
        return tuple({**self._held, **dict.fromkeys(self._not_before)})

    @property
    def next_moment(self) -> int | None:
        """When something is due next; None while nothing is."""
        while self._moments and not self._is_due(*self._moments[0]):
            heappop(self._moments)
        return self._moments[0][0] if self._moments else None

    def add(self, run_id: RunId, gates: Gates) -> None:
        """Learn what a run waits for."""
        if gates.is_held:
            self.hold(run_id)
        if gates.not_before is not None:
            self.delay(run_id, gates.not_before)
        if gates.deadline is not None:
            self._deadlines[run_id] = gates.deadline
            self.arm(run_id)

    def holds(self, run_id: RunId) -> bool:
        """Whether a run is held, or waits for a moment."""
        return run_id in self._held or run_id in self._not_before

    def hold(self, run_id: RunId) -> None:
        """Have a run wait until it is released."""
        self._held[run_id] = None

    def release(self, run_id: RunId) -> None:
        """Hold a run no more; what moment it waits for stays."""
        self._held.pop(run_id, None)

    def delay(self, run_id: RunId, until: int) -> None:
        """Have a run wait for a moment."""
        self._not_before[run_id] = until
        heappush(self._moments, (until, run_id))

    def arm(self, run_id: RunId) -> None:
        """A run waits that did not for a while: its deadline, if it has one, is looked at again."""
        deadline = self._deadlines.get(run_id)
        if deadline is not None:
            heappush(self._moments, (deadline, run_id))

    def disarm(self, run_id: RunId) -> None:
        """A run has started for good: it has no deadline any more."""
        self._deadlines.pop(run_id, None)

    def forget(self, run_id: RunId) -> None:
        """A run is gone."""
        self._held.pop(run_id, None)
        self._not_before.pop(run_id, None)
        self._deadlines.pop(run_id, None)

    def pop_due(self, now: int) -> Iterator[tuple[RunId, bool]]:
        """Yield each run whose moment has come, and whether that is its deadline; each moment once."""
        while (at := self.next_moment) is not None and at <= now:
            _, run_id = heappop(self._moments)
            if self._not_before.get(run_id) == at:
                del self._not_before[run_id]
                yield run_id, False
            if self._deadlines.get(run_id) == at:
                yield run_id, True

    def words(self, run_id: RunId) -> str:
        """Say what a run waits for that is held, or waits for a moment."""
        if run_id in self._held:
            return f"held; 'runyard release {run_id}' lets it start"
        moment = _EPOCH + timedelta(microseconds=self._not_before[run_id])
        return f"starts at {moment:%Y-%m-%d %H:%M:%S} UTC at the earliest"

    def _is_due(self, at: int, run_id: RunId) -> bool:
        return at in (self._not_before.get(run_id), self._deadlines.get(run_id))
