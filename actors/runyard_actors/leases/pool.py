"""The lease pool: which leases to open and to close for the runs that need one. Pure, like the scheduling core.

A Ray task and a worker for every run would cost more than most runs. So runs of the same shape that start together
share one lease that declares their sum, and a slot goes to the next run of its shape when its run ends. What turns
out to last gets a lease of its own, with its own name, as far as `own_limit` allows: each takes a Ray worker of 40 to
52 MB. Runs beyond that whose leases became many and small, one after the other, are put together again, and so are all
runs that declare less than a worker takes, once they are more. What nobody uses is closed after a moment, at once if
another needs the room.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from runyard_actors.leases.lease import NOTHING, Lease, Shape
from runyard_actors.run import RunId

#: An unused lease is kept so long for the next run of its shape.
IDLE_SECONDS = 1.0
#: A shared lease in which nothing changed for so long holds runs that last, and is divided up.
SETTLE_SECONDS = 1.0
#: The most runs that share a lease, so that the end of one worker concerns no more: each has to be taken again then.
MOST_SLOTS = 250
#: What a worker takes: 52 MB at most.
WORKER_BYTES = 52_000_000
#: So many small leases more than their runs need are left alone: to put runs together starts a task, too.
SPARE_LEASES = 2


@dataclass(frozen=True, slots=True)
class Open:
    """Ask Ray for this lease."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class Close:
    """Give this lease back to Ray."""

    lease_id: int


class LeasePool:
    """Knows every lease. `capacity` is what Ray has in all; times are seconds of a clock that never goes back."""

    def __init__(self, *, capacity: Shape, own_limit: int, ids: Iterator[int] | None = None) -> None:
        """Give leases the next of `ids`, or numbers of its own."""
        self._capacity = capacity
        self._own_limit = own_limit
        self._leases: dict[int, Lease] = {}
        self._of_run: dict[RunId, Lease] = {}
        self._waiting: dict[Shape, dict[RunId, str]] = {}
        self._actions: list[Open | Close] = []
        self._ids = ids or count(1)

    @property
    def held(self) -> Shape:
        """What all leases declare together, those that Ray has not granted yet included."""
        total = NOTHING
        for lease in self._leases.values():
            total = total.plus(lease.total)
        return total

    def set_capacity(self, capacity: Shape) -> None:
        """Ray has another amount from now on."""
        self._capacity = capacity

    def take(self, run_id: RunId, name: str, shape: Shape, now: float) -> bool:
        """Find a slot for a run; return whether it is held already. If not, `plan`, and `on_granted` tells."""
        for lease in self._leases.values():
            if lease.shape == shape and lease.has_room:
                self._put(lease, {run_id: name}, now)
                return lease.is_granted
        self._waiting.setdefault(shape, {})[run_id] = name
        return False

    def give_back(self, run_id: RunId, now: float) -> None:
        """Free the slot of a run."""
        lease = self._of_run.pop(run_id, None)
        if lease is not None:
            del lease.runs[run_id]
            lease.changed_at = now
        for waiting in self._waiting.values():
            waiting.pop(run_id, None)

    def on_granted(self, lease_id: int, now: float) -> list[RunId]:
        """Ray granted a lease: return the runs that hold their slots from now on. To be told again changes nothing."""
        lease = self._leases.get(lease_id)
        if lease is None or lease.is_granted:
            return []
        lease.is_granted = True
        lease.changed_at = now
        self._succeeded(lease_id)
        return list(lease.runs)

    def on_lost(self, lease_id: int) -> None:
        """A lease ended by itself: its runs go on, and wait for another."""
        lease = self._leases.pop(lease_id, None)
        if lease is None:
            return
        self._succeeded(lease_id)
        for run_id, name in lease.runs.items():
            del self._of_run[run_id]
            self._waiting.setdefault(lease.shape, {})[run_id] = name

    def is_open(self, lease_id: int) -> bool:
        """Whether a lease is wanted."""
        return lease_id in self._leases

    def plan(self, now: float) -> list[Open | Close]:
        """Return what is to be done for the runs that wait, in this order."""
        for shape, waiting in self._waiting.items():
            if waiting:
                self._make_room(shape.times(len(waiting)), now)
                for group in _groups(waiting, 1 if shape.gpu_milli else MOST_SLOTS):
                    self._open(shape, group, now)
        self._waiting.clear()
        done, self._actions = self._actions, []
        return done

    def tidy(self, now: float) -> None:
        """Close what nobody uses, give runs that last leases of their own, and put together what became many."""
        for lease in list(self._leases.values()):
            if lease.is_leaving or not lease.is_granted:
                continue
            if not lease.runs and now - lease.changed_at >= IDLE_SECONDS:
                self._close(lease)
            elif not lease.is_own and _is_settled(lease, now):
                self._settle(lease, now)
        for small in self._small(now).values():
            self._unite(small, now)

    def _unite(self, small: Sequence[Lease], now: float) -> None:
        """Put the runs of leases of one shape together where that saves enough of them."""
        groups = list(_batched([pair for lease in small for pair in lease.runs.items()], MOST_SLOTS))
        if len(small) - len(groups) >= SPARE_LEASES:
            self._replace(small, groups, now)

    def _small(self, now: float) -> dict[Shape, list[Lease]]:
        """Return by their shapes the leases that could be put together: the oldest runs keep what is their own."""
        found: dict[Shape, list[Lease]] = {}
        own = 0
        for lease in self._leases.values():
            own += lease.is_own
            if lease.shape.gpu_milli or not _is_settled(lease, now) or len(lease.runs) > MOST_SLOTS // 2:
                continue
            if not lease.is_own or own > self._own_limit_of(lease.shape):
                found.setdefault(lease.shape, []).append(lease)
        return found

    def _settle(self, lease: Lease, now: float) -> None:
        """Divide a lease into one for each of its runs, as many as may have their own, and one for the others."""
        alone = sum(each.is_alone for each in self._leases.values() if each is not lease)
        spare = max(0, self._own_limit_of(lease.shape) - alone)
        if lease.slots == 1 and not spare:
            return
        own, others = list(lease.runs.items())[:spare], list(lease.runs.items())[spare:]
        if not own and len(others) == lease.slots:
            return
        self._replace([lease], [*([pair] for pair in own), *([others] if others else [])], now)

    def _own_limit_of(self, shape: Shape) -> int:
        """Return how many runs may have leases of their own: none of many that declare less than a worker takes."""
        if shape.memory_bytes >= WORKER_BYTES:
            return self._own_limit
        runs = sum(len(lease.runs) for lease in self._leases.values() if lease.shape == shape)
        return self._own_limit if runs <= self._own_limit else 0

    def _replace(
        self, leases: Sequence[Lease], groups: Sequence[Sequence[tuple[RunId, str]]], now: float
    ) -> None:
        """Move runs to new leases. Where Ray has no room for both, the old ones go at once: ours is the truth."""
        shape, slots = leases[0].shape, sum(len(group) for group in groups)
        has_room = self.held.plus(shape.times(slots)).fits_into(self._capacity)
        for lease in leases:
            lease.runs = {}
            if not has_room:
                self._close(lease)
        for group in groups:
            new = self._open(shape, dict(group), now)
            if has_room:
                for lease in leases:
                    lease.successors.add(new.lease_id)

    def _make_room(self, wanted: Shape, now: float) -> None:
        """Give up what no run needs, least needed first, until there is room for what is wanted."""
        for lease in sorted(self._leases.values(), key=lambda each: (not each.is_leaving, len(each.runs))):
            if self.held.plus(wanted).fits_into(self._capacity):
                return
            if len(lease.runs) < lease.slots:
                runs, lease.runs = lease.runs, {}
                self._close(lease)
                if runs:
                    self._open(lease.shape, runs, now)

    def _open(self, shape: Shape, runs: dict[RunId, str], now: float) -> Lease:
        names = list(runs.values())
        lease = Lease(
            lease_id=next(self._ids),
            shape=shape,
            slots=len(runs),
            name=names[0] if len(names) == 1 else f"{len(names)} runs",
        )
        self._leases[lease.lease_id] = lease
        self._put(lease, runs, now)
        self._actions.append(Open(lease))
        return lease

    def _close(self, lease: Lease) -> None:
        del self._leases[lease.lease_id]
        self._actions.append(Close(lease.lease_id))

    def _put(self, lease: Lease, runs: dict[RunId, str], now: float) -> None:
        lease.runs |= runs
        lease.changed_at = now
        self._of_run |= dict.fromkeys(runs, lease)

    def _succeeded(self, lease_id: int) -> None:
        """A successor was granted, or is gone: the lease before it may go when it was the last."""
        for lease in list(self._leases.values()):
            if lease_id in lease.successors:
                lease.successors.discard(lease_id)
                if not lease.successors:
                    self._close(lease)


def _is_settled(lease: Lease, now: float) -> bool:
    """Whether it holds runs, and nothing about it has changed for a while."""
    is_held = bool(lease.runs) and lease.is_granted and not lease.is_leaving
    return is_held and now - lease.changed_at >= SETTLE_SECONDS


def _groups(runs: dict[RunId, str], most: int) -> Iterable[dict[RunId, str]]:
    return (dict(group) for group in _batched(list(runs.items()), most))


def _batched(pairs: Sequence[tuple[RunId, str]], most: int) -> Iterator[Sequence[tuple[RunId, str]]]:
    return (pairs[start : start + most] for start in range(0, len(pairs), most))
