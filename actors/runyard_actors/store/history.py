"""A page of history: which runs a filter finds, counted and in order, without looking at each.

Three ways, chosen by the counts by block of the submit order, which also give the total:

- In submit order, the counts say in which block the page begins, so a page deep down costs what the first
  does.
- Sorted by another column, either that column's index is walked, or the few runs found are sorted; the counts
  say which is less work. Deep pages of the first kind are walked to from the nearer end.
- A label or a text is looked up from the newest runs backwards, up to `SEARCH_LIMIT` candidates. Fewer runs
  than that under the other filters are all looked at.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from heapq import merge
from itertools import chain, islice
from typing import Any

from runyard_actors.run import Status
from runyard_actors.store.counts import ANY, BLOCK_BITS
from runyard_actors.store.queries import sql
from runyard_actors.store.records import SORTS, RunFilter
from runyard_cluster.errors import InvalidRequestError

#: How many candidates a search by label or text looks at; also the largest total that it tells.
SEARCH_LIMIT = 5_000

#: How many of the newest messages a text is looked for in.
MESSAGE_LIMIT = 20_000

#: What one page may hold at most.
PAGE_LIMIT = 1_000

_BLOCK = 1 << BLOCK_BITS
_LARGEST = 2**63 - 1


class Search:
    """One filter, asked in one snapshot of the database."""

    def __init__(self, connection: sqlite3.Connection, wanted: RunFilter) -> None:
        """Raises InvalidRequestError for a sort that there is none of."""
        self._connection = connection
        self._column, self._is_descending = _order(wanted.sort)
        self._statuses = list(dict.fromkeys(Status(s).value for s in wanted.statuses or Status))
        self._is_all = wanted == RunFilter(sort=wanted.sort)
        self._is_searching_only = wanted in (
            RunFilter(sort=wanted.sort, since=wanted.since, until=wanted.until, label=wanted.label),
            RunFilter(sort=wanted.sort, since=wanted.since, until=wanted.until, text=wanted.text),
        )
        first, last = self._bounds(wanted)
        self._values: dict[str, Any] = {
            "statuses": json.dumps(self._statuses),
            "module_id": wanted.module_id,
            "batch_id": wanted.batch_id,
            "first": first,
            "last": last,
            **_search_values(wanted),
        }
        self._blocks = self._count_blocks()
        self._total = sum(self._blocks.values())

    def page(self, limit: int, offset: int) -> tuple[list[int], int]:
        """Return the seqs of one page in order, and how many runs there are in all."""
        limit = min(limit, PAGE_LIMIT)
        if self._values["label_key"] is not None or self._values["text"] is not None:
            found = self._found()
            return found[offset : offset + limit], len(found)
        if offset >= self._total:
            return [], self._total
        if self._column == "created_at":
            return self._page_in_order(limit, offset), self._total
        if self._is_sorting_cheaper(limit, offset):
            return self._checked(self._all_seqs())[offset : offset + limit], self._total
        return self._page_by_index(limit, offset), self._total

    # In submit order.

    def _page_in_order(self, limit: int, offset: int) -> list[int]:
        first, last = self._values["first"], self._values["last"]
        for block in sorted(self._blocks, reverse=self._is_descending):
            if offset < self._blocks[block]:
                break
            offset -= self._blocks[block]
        if self._is_descending:
            last = min(last, (block << BLOCK_BITS) + _BLOCK - 1)
        else:
            first = max(first, block << BLOCK_BITS)
        return list(islice(self._seqs(first, last), offset, offset + limit))

    def _seqs(self, first: int, last: int) -> Iterator[int]:
        """Yield the seqs between two in the order asked for."""
        if not (self._values["batch_id"] and self._values["module_id"]):
            return self._seqs_of_index(first, last)
        # No index leads to the runs of a module in a batch, but the counts tell the blocks they lie in.
        blocks = sorted(self._blocks, reverse=self._is_descending)
        return chain.from_iterable(
            self._seqs_of_index(max(first, b << BLOCK_BITS), min(last, (b << BLOCK_BITS) + _BLOCK - 1))
            for b in blocks
            if first >> BLOCK_BITS <= b <= last >> BLOCK_BITS
        )

    def _seqs_of_index(self, first: int, last: int) -> Iterator[int]:
        """Each status has its own part of an index."""
        kind = "batch" if self._values["batch_id"] else "module" if self._values["module_id"] else "status"
        name = f"seqs_of_{kind}_desc" if self._is_descending else f"seqs_of_{kind}"
        parts = [
            self._connection.execute(
                sql(name), self._values | {"status": status, "first": first, "last": last}
            )
            for status in self._statuses
        ]
        sequences = [(row[0] for row in part) for part in parts]
        return iter(merge(*sequences, reverse=self._is_descending))

    # Sorted by another column.

    def _is_sorting_cheaper(self, limit: int, offset: int) -> bool:
        """Compare how many rows each way reads; one that is fetched and sorted costs ten times a step."""
        steps = min(offset, self._total - offset) + limit
        return 10 * self._total**2 <= steps * self._newest()

    def _page_by_index(self, limit: int, offset: int) -> list[int]:
        is_descending, from_end = self._is_descending, offset > self._total // 2
        if from_end:
            offset, limit = max(0, self._total - offset - limit), min(limit, self._total - offset)
            is_descending = not is_descending
        name = f"page_by_{self._column}_desc" if is_descending else f"page_by_{self._column}"
        values = self._values | {"limit": limit, "offset": offset, "is_all": self._is_all}
        seqs = [row[0] for row in self._connection.execute(sql(name), values)]
        return seqs[::-1] if from_end else seqs

    def _checked(self, candidates: list[int]) -> list[int]:
        """Return those of the candidates that the whole filter wants, in the order asked for."""
        values = self._values | {"candidates": json.dumps(candidates)}
        rows = self._connection.execute(sql("found"), values).fetchall()
        column = "seq" if self._column == "created_at" else self._column
        # As SQLite has it, so that both ways give one order: nothing is less than everything.
        rows.sort(
            key=lambda r: (r[column] is not None, r[column] or 0, r["seq"]), reverse=self._is_descending
        )
        return [row["seq"] for row in rows]

    # By label or text.

    def _found(self) -> list[int]:
        if self._total == 0:
            return []
        if self._total <= SEARCH_LIMIT:
            return self._checked(self._all_seqs())
        candidates = self._candidates()
        if self._is_searching_only and self._column == "created_at":
            return candidates if self._is_descending else candidates[::-1]
        return self._checked(candidates)

    def _candidates(self) -> list[int]:
        """Return the newest runs with the label, or else with the text; the newest first."""
        values = self._values | {"bound": SEARCH_LIMIT, "messages": MESSAGE_LIMIT}
        if values["label_key"] is not None:
            name = "labelled" if values["label_value"] is None else "labelled_with_value"
            return [row[0] for row in self._connection.execute(sql(name), values)]
        by_words = {
            row[0]
            for name in ("seqs_with_message_like", "seqs_with_id_like")
            for row in self._connection.execute(sql(name), values)
        }
        return sorted(by_words.union(self._seqs_of_like_modules(values)), reverse=True)[:SEARCH_LIMIT]

    def _seqs_of_like_modules(self, values: Mapping[str, Any]) -> Iterator[int]:
        modules = [row[0] for row in self._connection.execute(sql("module_ids_like"), values)]
        parts = [
            self._connection.execute(
                sql("seqs_of_module_desc"), {**values, "module_id": module, "status": status}
            )
            for module in modules
            for status in self._statuses
        ]
        sequences = [(row[0] for row in part) for part in parts]
        return islice(merge(*sequences, reverse=True), SEARCH_LIMIT)

    # Counts.

    def _all_seqs(self) -> list[int]:
        return list(self._seqs(self._values["first"], self._values["last"]))

    def _newest(self) -> int:
        return int(self._connection.execute(sql("last_run")).fetchone()[0])

    def _bounds(self, wanted: RunFilter) -> tuple[int, int]:
        """Times as seqs. A clock that was set back does not matter: the submit order stays what it was."""
        first, last = 0, _LARGEST
        if wanted.since is not None:
            row = self._connection.execute(sql("first_since"), (_bounded(wanted.since),)).fetchone()
            first = row[0] if row else _LARGEST
        if wanted.until is not None:
            row = self._connection.execute(sql("last_until"), (_bounded(wanted.until),)).fetchone()
            last = row[0] if row else -1
        return first, last

    def _count_blocks(self) -> dict[int, int]:
        first, last = self._values["first"], self._values["last"]
        if first > last:
            return {}
        values = self._values | {
            "batch_id": self._values["batch_id"] or ANY,
            "module_id": self._values["module_id"] or ANY,
            "first": first >> BLOCK_BITS,
            "last": last >> BLOCK_BITS,
        }
        blocks = dict[int, int](tuple(r) for r in self._connection.execute(sql("block_counts"), values))
        # Of the blocks at both ends only a part may lie within the bounds.
        for block in {first >> BLOCK_BITS, last >> BLOCK_BITS} & blocks.keys():
            start = max(first, block << BLOCK_BITS)
            end = min(last, (block << BLOCK_BITS) + _BLOCK - 1)
            blocks[block] = sum(1 for _ in self._seqs_of_index(start, end))
        return blocks


def _order(sort: str) -> tuple[str, bool]:
    column = sort.removeprefix("-")
    if column not in SORTS:
        raise InvalidRequestError(
            f"cannot sort by {sort!r}; allowed: {', '.join(SORTS)}, with a - in front for descending"
        )
    return column, sort.startswith("-")


def _search_values(wanted: RunFilter) -> dict[str, Any]:
    text = wanted.text or None
    key, _, value = (wanted.label or "").partition("=")
    prefix = (text or "").upper()
    return {
        "text": None if text is None else f"%{_escaped(text)}%",
        "id_start": None if text is None else f"{_escaped(text)}%",
        "id_first": prefix,
        "id_last": prefix + "\U0010ffff",
        "label_key": key if wanted.label else None,
        "label_value": value if "=" in (wanted.label or "") else None,
    }


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _bounded(at: int) -> int:
    return max(-_LARGEST, min(at, _LARGEST))
