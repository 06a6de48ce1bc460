"""Dependencies: which runs wait for which others, and what the end of one means for those after it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from runyard_actors.run import RunId

#: How many ends are remembered, the newest of them. A run that is submitted while what it comes after ends must
#: not wait for ever, and a submission takes no longer than this many ends.
REMEMBERED = 20_000


class Need(Enum):
    """What a run needs of one that it comes after."""

    #: That it completes.
    SUCCESS = auto()
    #: That it ends, whatever way.
    END = auto()
    #: That it does not complete, or that another one does not of which the run needs the same.
    FAILURE = auto()


@dataclass(frozen=True, slots=True)
class Told:
    """What the end of a run means for those after it: who waits for nothing more, and who never may start, and why."""

    free: Sequence[RunId] = ()
    lost: Sequence[tuple[RunId, str]] = ()


#: What the end of a run means that nobody waited for; shared, as most ends are of this kind.
NOBODY: Final = Told()


class Dependencies:
    """Edges from runs to those that come after them, and how lately ended runs ended."""

    def __init__(self) -> None:
        self._missing: dict[RunId, dict[RunId, Need]] = {}
        self._after: dict[RunId, dict[RunId, None]] = {}
        self._ended: OrderedDict[RunId, bool] = OrderedDict()
        #: Batches that stand in the place of a run: those that have not ended, and those of the ends that are kept.
        self._batches: set[RunId] = set()

    def __len__(self) -> int:
        return len(self._missing)

    @property
    def waiting(self) -> Sequence[RunId]:
        """The runs that wait for others."""
        return tuple(self._missing)

    def on_batch(self, batch_id: RunId) -> None:
        """Take this id for a batch that has not ended, as far as runs come after it."""
        self._batches.add(batch_id)
        self._ended.pop(batch_id, None)

    def add(
        self,
        run_id: RunId,
        after: Sequence[RunId],
        known: Container[RunId],
        *,
        any_end: Iterable[RunId] = (),
        failure: Sequence[RunId] = (),
    ) -> str | None:
        """Have a run wait for those that have not ended: to complete, to end, or for one of them not to complete.

        A run that is not `known` to have not ended counts as one that did not complete. Returns why the run never may
        start, in words for people, if that is so.
        """

        def may_complete(each: RunId) -> bool:
            return self._ended.get(each, each in known or each in self._batches)

        lost = next((each for each in after if not may_complete(each)), None)
        if lost is not None:
            return not_completed(lost, is_batch=lost in self._batches)
        has_failed = any(not may_complete(each) for each in failure)
        if failure and not has_failed and all(each in self._ended for each in failure):
            return none_failed(failure[-1])
        missing = {each: Need.END for each in any_end if each in known or each in self._batches}
        if not has_failed:
            missing |= dict.fromkeys(failure, Need.FAILURE)
        missing |= dict.fromkeys(after, Need.SUCCESS)
        missing = {each: need for each, need in missing.items() if each not in self._ended}
        if missing:
            self._missing[run_id] = missing
            for each in missing:
                self._after.setdefault(each, {})[run_id] = None
        return None

    def missing(self, run_id: RunId) -> Sequence[RunId]:
        """Return what a run still waits for."""
        return tuple(self._missing.get(run_id, ()))

    def after(self, run_id: RunId) -> Sequence[RunId]:
        """Return the runs that still wait for a run, or for a batch."""
        return tuple(self._after.get(run_id, ()))

    def words(self, run_id: RunId) -> str | None:
        """Say what a run still waits for; None if that is no other run."""
        missing = self._missing.get(run_id)
        if not missing:
            return None
        first, *others = missing
        if missing[first] is Need.FAILURE:
            what = "any run of batch" if first in self._batches else "run"
            return f"starts if {what} {first} fails" + (f", or after {len(others)} more" if others else "")
        more = f" and {len(others)} more" if others else ""
        if first in self._batches:
            return f"starts after batch {first}{more}, once it is closed and has ended"
        return f"starts after run {first}{more}" + (" ended" if missing[first] is Need.END else "")

    def forget(self, run_id: RunId) -> None:
        """A waiting run is gone."""
        for each in self._missing.pop(run_id, ()):
            self._forget_edge(each, run_id)

    def tell(self, run_id: RunId, *, succeeded: bool) -> Told:
        """Note how a run ended."""
        self._ended[run_id] = succeeded
        if run_id not in self._after:
            return NOBODY
        free: list[RunId] = []
        lost: list[tuple[RunId, str]] = []
        for each in self._after.pop(run_id):
            why = self._settle(each, run_id, succeeded=succeeded)
            if why is not None:
                self.forget(each)
                lost.append((each, why))
            elif not self._missing[each]:
                del self._missing[each]
                free.append(each)
        return Told(free, lost)

    def trim(self) -> None:
        """Forget the oldest ends."""
        while len(self._ended) > REMEMBERED:
            oldest, _ = self._ended.popitem(last=False)
            self._batches.discard(oldest)

    def _settle(self, waiting: RunId, ended: RunId, *, succeeded: bool) -> str | None:
        """Take what ended off what a run waits for; return why it never may start, if that is so."""
        missing = self._missing[waiting]
        need = missing.pop(ended)
        if need is Need.SUCCESS and not succeeded:
            return not_completed(ended, is_batch=ended in self._batches)
        if need is Need.FAILURE:
            others = [each for each, other in missing.items() if other is Need.FAILURE]
            if succeeded:
                return None if others else none_failed(ended)
            for each in others:
                del missing[each]
                self._forget_edge(each, waiting)
        return None

    def _forget_edge(self, earlier: RunId, later: RunId) -> None:
        after = self._after.get(earlier)
        if after is not None:
            after.pop(later, None)
            if not after:
                del self._after[earlier]


def not_completed(run_id: RunId, *, is_batch: bool = False) -> str:
    """Say that a run, or a whole batch, did not complete that another one needed to."""
    if is_batch:
        return f"not all runs of batch {run_id}, which it comes after, completed"
    return f"run {run_id}, which it comes after, did not complete"


def none_failed(last: RunId) -> str:
    """Say that runs completed of which another one needed one not to."""
    return f"it starts only if one of the runs in its after_failed fails, and all completed, run {last} last"
