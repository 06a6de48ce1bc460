"""Which runs a filter finds, as a set of places of the index."""

from __future__ import annotations

import json
from functools import reduce
from operator import and_

from runyard_actors.run import Status
from runyard_actors.store.database import Connection
from runyard_actors.store.index.run_index import RunIndex
from runyard_actors.store.queries import sql
from runyard_actors.store.records import RunFilter

#: How many of the newest module names, and of the newest messages, a text is looked for in.
TEXT_LIMIT = 20_000

#: Up to so many modules that a text names, the set of each is read and kept.
_FEW = 20


def find(index: RunIndex, connection: Connection, wanted: RunFilter, bounds: tuple[int, int]) -> int:
    """Return the places of all runs that `wanted` wants, with seqs within `bounds`."""
    sets = [index.live({Status(s).value for s in wanted.statuses or Status}), index.submitted(*bounds)]
    if wanted.run_ids:
        seqs = connection.execute(sql("seqs_of_ids"), (json.dumps(list(wanted.run_ids)),))
        sets.append(index.these(row[0] for row in seqs))
    if wanted.module_id:
        sets.append(index.having(connection, "places_of_module", wanted.module_id))
    if wanted.batch_id:
        sets.append(index.having(connection, "places_of_batch", wanted.batch_id))
    if wanted.label:
        key, is_with_value, value = wanted.label.partition("=")
        name, values = ("places_of_label", (key, value)) if is_with_value else ("places_of_label_key", (key,))
        sets.append(index.having(connection, name, *values))
    if wanted.shortest is not None or wanted.longest is not None:
        sets.append(index.lasting(connection, wanted.shortest, wanted.longest))
    if wanted.exit_codes:
        sets.append(index.exited(connection, wanted.exit_codes))
    if wanted.text:
        sets.append(_with_text(index, connection, wanted.text))
    return reduce(and_, sets)


def _with_text(index: RunIndex, connection: Connection, text: str) -> int:
    values = {"text": f"%{_escaped(text)}%", "limit": TEXT_LIMIT}
    messages = connection.execute(sql("seqs_with_message_like"), values)
    return (
        index.these(row[0] for row in messages)
        | _of_named_modules(index, connection, connection.execute(sql("names_like"), values).fetchall())
        | _of_id(index, connection, text.upper())
    )


def _of_named_modules(index: RunIndex, connection: Connection, rows: list[tuple[str, str | None]]) -> int:
    """Return the runs of modules by (id, name), where no name means any."""
    found, others = 0, []
    for module_id, name in rows:
        if name is not None:
            found |= index.having(connection, "places_of_name", module_id, name)
        elif len(rows) <= _FEW or index.has_at_hand("places_of_module", module_id):
            found |= index.having(connection, "places_of_module", module_id)
        else:
            others.append(module_id)
    if others:
        seqs = connection.execute(sql("seqs_of_modules"), (json.dumps(others),))
        found |= index.these(row[0] for row in seqs)
    return found


def _of_id(index: RunIndex, connection: Connection, start: str) -> int:
    """Return the runs whose id begins so; with few letters that is every run, or most."""
    everything = index.live(status.value for status in Status)
    lowest, highest = connection.execute(sql("outer_ids")).fetchone()
    if lowest is None or not (lowest[: len(start)] <= start <= highest[: len(start)]):
        return 0
    if lowest.startswith(start) and highest.startswith(start):
        return everything
    return index.having(connection, "places_of_id", start, start + "\U0010ffff")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
