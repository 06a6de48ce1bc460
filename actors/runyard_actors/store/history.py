"""A page of history: which runs a filter finds, counted and in order, without looking at each.

Two ways, both exact:

- In submit order, filtered by what the tables have indexes for, SQL finds the page: counts by block of the submit
  order give the total and say in which block the page begins.
- For all else, filters and orders are sets in memory: see `runyard_actors.store.index`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from runyard_actors.store.database import Connection
from runyard_actors.store.index.find import find
from runyard_actors.store.index.run_index import RunIndex
from runyard_actors.store.queries import sql
from runyard_actors.store.records import SORTS, RunFilter
from runyard_actors.store.submit_order import SubmitOrder
from runyard_cluster.errors import InvalidRequestError

#: What one page may hold at most.
PAGE_LIMIT = 1_000

_LARGEST = 2**63 - 1

#: Lends the index, brought to the snapshot that the connection begins with its next statement.
Lend = Callable[[Connection], AbstractContextManager[RunIndex]]


def page(
    connection: Connection, wanted: RunFilter, limit: int, offset: int, lend: Lend
) -> tuple[list[int], int]:
    """Return the seqs of one page in order, and how many runs there are in all.

    Nothing must have been read in the connection's transaction before. Raises InvalidRequestError for a sort that
    there is none of.
    """
    column, is_descending = _order(wanted.sort)
    limit = min(limit, PAGE_LIMIT)
    if column == "created_at" and not _needs_index(wanted):
        bounds = _bounds(connection, wanted)
        return SubmitOrder(connection, wanted, bounds, is_descending=is_descending).page(limit, offset)
    with lend(connection) as index:
        found = find(index, connection, wanted, _bounds(connection, wanted))
        total = found.bit_count()
        limit = max(0, min(limit, total - offset))
        first = total - offset - limit if is_descending else offset
        seqs = index.page(connection, found, column, first, limit) if limit else []
    return seqs[::-1] if is_descending else seqs, total


def _needs_index(wanted: RunFilter) -> bool:
    return (
        bool(wanted.label or wanted.text or wanted.run_ids or wanted.exit_codes)
        or wanted.shortest is not None
        or wanted.longest is not None
    )


def _order(sort: str) -> tuple[str, bool]:
    column = sort.removeprefix("-")
    if column not in SORTS:
        raise InvalidRequestError(
            f"cannot sort by {sort!r}; allowed: {', '.join(SORTS)}, with a - in front for descending"
        )
    return column, sort.startswith("-")


def _bounds(connection: Connection, wanted: RunFilter) -> tuple[int, int]:
    """Times as seqs. A clock that was set back does not matter: the submit order stays what it was."""
    first, last = 0, _LARGEST
    if wanted.since is not None:
        row = connection.execute(sql("first_since"), (_bounded(wanted.since),)).fetchone()
        first = row[0] if row else _LARGEST
    if wanted.until is not None:
        row = connection.execute(sql("last_until"), (_bounded(wanted.until),)).fetchone()
        last = row[0] if row else -1
    return first, last


def _bounded(at: int) -> int:
    return max(-_LARGEST, min(at, _LARGEST))
