"""Statements in PostgreSQL's words, found by their text in SQLite's: that is what the store asks with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from runyard_actors.store.queries import statements

_HINT = re.compile(r" INDEXED BY \w+")
_LIST = re.compile(r"IN \(SELECT value FROM json_each\((\?|:\w+)\)\)")
_PLACE = re.compile(r"\?|(?<!:):([a-z_]+)")

#: Statements that may find millions of rows, of which often only the first are looked at.
_STREAMED = ("seqs_of_status", "seqs_of_module", "seqs_of_batch", "order_by_", "places_of_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement. `lists` are the places of values that SQLite takes as JSON texts and PostgreSQL as arrays."""

    name: str
    text: str
    lists: frozenset[int | str]
    is_streamed: bool

    def bound(self, values: Any) -> Any:
        """Return the values as PostgreSQL takes them."""
        if not self.lists:
            return values
        items = values.items() if isinstance(values, Mapping) else enumerate(values)
        bound = {key: _strings(value) if key in self.lists else value for key, value in items}
        return bound if isinstance(values, Mapping) else tuple(bound.values())


def translated(name: str, text: str) -> Statement:
    """Return a statement in PostgreSQL's words, which are mostly SQLite's."""
    text, lists = _HINT.sub("", text).replace("%", "%%"), set[int | str]()
    marked = _LIST.sub(r"= ANY(\1)", text)
    arrays = {match.start(1) for match in re.finditer(r"(?<== ANY\()(\?|:\w+)(?=\))", marked)}
    number = 0

    def place(match: re.Match[str]) -> str:
        nonlocal number
        key: int | str = match[1] or number
        number += match[1] is None
        if match.start() in arrays:
            lists.add(key)
        return f"%({key})s" if match[1] else "%s"

    words = _PLACE.sub(place, marked)
    words = re.sub(r"\bIS NOT (?=%)", "IS DISTINCT FROM ", words).replace(" LIKE ", " ILIKE ")
    return Statement(
        name=name,
        text=words,
        lists=frozenset(lists),
        is_streamed=name.startswith(_STREAMED) and name != "seqs_of_modules",
    )


@cache
def by_sqlite_text() -> Mapping[str, Statement]:
    """Return every statement of the store by its text in SQLite's words."""
    ours = by_name()
    return {text: ours[name] for name, text in statements("queries.sql").items()}


@cache
def by_name() -> Mapping[str, Statement]:
    """Return every statement of the store by name."""
    texts = statements("queries.sql", "postgres/queries.sql")
    return {name: translated(name, text) for name, text in texts.items()}


def _strings(text: str) -> Sequence[Any]:
    """A JSON list as values that can be bound; what UTF-8 cannot hold is in no table, so it may be anything."""
    found = json.loads(text)
    return [_clean(v) if isinstance(v, str) else v for v in found]


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
