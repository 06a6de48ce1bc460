"""The index of all runs: by status, by attribute, and in the order of each column that history is sorted by.

It is read from the database once, piece by piece as pieces are asked for, and then follows the events. The writer
knows nothing of it. Whoever asks does so from a snapshot that the index was just brought to, never an older one.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_

from runyard_actors.run import Status
from runyard_actors.store.database import Connection
from runyard_actors.store.index.attributes import Attributes, heavy_ones
from runyard_actors.store.index.bits import Bits, between, ranked
from runyard_actors.store.index.codes import Codes
from runyard_actors.store.index.order import Order
from runyard_actors.store.queries import sql

#: Columns there is an order of; the submit order is that of the places themselves.
ORDERED = ("started_at", "ended_at", "duration")

#: The name of a piece that is an order, and of the one that is the exit codes.
ORDER = "order"
CODES = "exit_codes"


class RunIndex:
    """Answers for one moment: that of the connection's snapshot which `follow` was called with last."""

    def __init__(self, connection: Connection) -> None:
        self._base = int(connection.execute(sql("first_run")).fetchone()[0])
        self._statuses = {status.value: Bits() for status in Status}
        self._orders: dict[str, Order] = {}
        self._codes: Codes | None = None
        self._attributes = Attributes(self._base)
        self._last_run = self._base - 1
        last_run, self._last_event, self._last_forgotten = _marks(connection)
        self._take_new(connection, last_run)

    def follow(self, connection: Connection) -> bool:
        """Take in what changed since; False when that cannot be told, and an index is to be made anew."""
        last_run, last_event, last_forgotten = _marks(connection)
        if last_run < self._last_run or last_event < self._last_event:
            return False
        if last_forgotten != self._last_forgotten and not self._take_forgotten(connection, last_forgotten):
            return False
        self._take_new(connection, last_run)
        if last_event > self._last_event:
            self._take_changes(connection)
            self._last_event = last_event
        return True

    def live(self, statuses: Iterable[str]) -> int:
        """Return all runs that stand at one of these."""
        return reduce(or_, (self._statuses[status].whole for status in statuses), 0)

    def submitted(self, first: int, last: int) -> int:
        """Return all places from one seq to another, both included."""
        return between(first - self._base, min(last, self._last_run) - self._base)

    def having(self, connection: Connection, name: str, *values: str) -> int:
        """Return all runs with an attribute, as `Attributes.of` names it."""
        return self._attributes.of(connection, self._last_run, name, *values)

    def has_at_hand(self, name: str, *values: str) -> bool:
        """Return whether `having` this needs no reading of all of them."""
        return self._attributes.has(name, *values)

    def these(self, seqs: Iterable[int]) -> int:
        """Return the places of these seqs as a set."""
        return Bits(seq - self._base for seq in seqs if seq >= self._base).whole

    def page(self, connection: Connection, wanted: int, column: str, first: int, count: int) -> list[int]:
        """Return the seqs from rank `first` on of a set of places, ascending by a column, then by seq."""
        if column in ORDERED:
            found = self._order(connection, column).page(wanted, first, count)
        else:
            found = ranked(wanted, first, count)
        return [place + self._base for place in found]

    def lasting(self, connection: Connection, shortest: int | None, longest: int | None) -> int:
        """Return all runs that took between so many microseconds, both included."""
        return self._order(connection, "duration").between(shortest, longest)

    def exited(self, connection: Connection, codes: Iterable[int]) -> int:
        """Return all runs that ended with one of these exit codes."""
        wanted = set(codes)
        found = self._codes_of(connection).having(wanted)
        return found | self._statuses[Status.COMPLETED.value].whole if 0 in wanted else found

    def prepare(self, connection: Connection, piece: tuple[str, ...] | None) -> None:
        """Read one of `pieces`, unless it is there."""
        if piece is not None and piece[0] == ORDER:
            self._order(connection, piece[1])
        elif piece == (CODES,):
            self._codes_of(connection)
        elif piece is not None:
            self.having(connection, *piece)

    def _order(self, connection: Connection, column: str) -> Order:
        if column not in self._orders:
            rows = connection.execute(sql(f"order_by_{column}"), {"base": self._base})
            self._orders[column] = Order((row[0], row[1]) for row in rows)
        return self._orders[column]

    def _codes_of(self, connection: Connection) -> Codes:
        if self._codes is None:
            rows = connection.execute(sql("places_of_exit_codes"), {"base": self._base})
            self._codes = Codes((row[0], row[1]) for row in rows)
        return self._codes

    def _take_new(self, connection: Connection, last_run: int) -> None:
        if last_run == self._last_run:
            return
        for status, bits in self._statuses.items():
            values = {"status": status, "after": self._last_run, "base": self._base}
            bits.update(row[0] for row in connection.execute(sql("places_of_status"), values))
        self._last_run = last_run

    def _take_changes(self, connection: Connection) -> None:
        values = {"after": self._last_event, "base": self._base}
        for place, status, code, *times in connection.execute(sql("changed_runs"), values):
            self._put(place, status, times, code)

    def _take_forgotten(self, connection: Connection, last: int) -> bool:
        rows = connection.execute(sql("forgotten_runs"), {"after": self._last_forgotten}).fetchall()
        if len({number for number, _ in rows}) < last - self._last_forgotten:
            return False
        for _, seq in rows:
            if seq >= self._base:
                self._put(seq - self._base, None, (None,) * len(ORDERED))
        self._last_forgotten = last
        live = self.live(self._statuses)
        # Places before the first run that is left cost as much as any other.
        return (live & -live).bit_length() <= 1 + (self._last_run - self._base) // 2

    def _put(
        self, place: int, status: str | None, times: Iterable[int | None], code: int | None = None
    ) -> None:
        for name, bits in self._statuses.items():
            if name == status:
                bits.add(place)
            else:
                bits.discard(place)
        for column, value in zip(ORDERED, times, strict=True):
            if column in self._orders:
                self._orders[column].put(place, value)
        if self._codes is not None:
            self._codes.put(place, None if status == Status.COMPLETED else code)


def pieces(connection: Connection) -> list[tuple[str, ...]]:
    """Return all that `RunIndex.prepare` can read, so that no page has to wait for it."""
    return [*((ORDER, column) for column in ORDERED), (CODES,), *heavy_ones(connection)]


def _marks(connection: Connection) -> tuple[int, int, int]:
    """Return the numbers of the last run, event and forgetting that there ever were."""
    run, event, forgotten = connection.execute(sql("last_numbers")).fetchone()
    return run, event, forgotten
