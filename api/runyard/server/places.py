"""Where a request is wrong and how, in words: what validation found, as entries of a problem document."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from runyard_cluster.setting_kinds import WEB_ADDRESS

#: Characters of a field's name and of a message that are shown; callers send names of any length.
MAX_FIELD = 200
MAX_MESSAGE = 500
#: Entries told in full. Beyond, a batch's other wrong runs are told by one entry each.
MAX_ERRORS = 100
#: Entries told in the one sentence for people.
MAX_TOLD = 5

_SOURCES = frozenset({"body", "query", "path", "header"})


def place(error: Mapping[str, Any], fields: Collection[str]) -> dict[str, Any]:
    """Return where and why, for one error that pydantic found; `fields` are those that could be meant."""
    path = list(error["loc"])
    if path and path[0] in _SOURCES:
        path = path[1:]
    index = path[1] if len(path) > 1 and path[0] == "runs" and isinstance(path[1], int) else None
    if index is not None:
        path = path[2:]
    # What stands last in an unknown field's place is its name, whatever it looks like.
    is_name = error["type"] == "extra_forbidden"
    names = [str(p) for i, p in enumerate(path, 1) if (is_name and i == len(path)) or not _is_union_tag(p)]
    field = ".".join(names)[:MAX_FIELD] or None
    found = {"message": _words(error, fields)[:MAX_MESSAGE], "field": field}
    return found if index is None else found | {"index": index}


def sentence(errors: Iterable[Mapping[str, Any]]) -> str:
    """Return what is wrong as one sentence."""
    parts = []
    for error in errors:
        where = [f"run {error['index']}"] if error.get("index") is not None else []
        field = [error["field"]] if error.get("field") else []
        parts.append(": ".join([*where, *field, error["message"]]))
    more = f" (and {len(parts) - MAX_TOLD} more)" if len(parts) > MAX_TOLD else ""
    return "; ".join(parts[:MAX_TOLD]) + more


def bounded(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the first errors, and of the rest one for each run that has none among them yet."""
    kept = [dict(e) for e in errors[:MAX_ERRORS]]
    told = {e.get("index") for e in kept}
    for error in errors[MAX_ERRORS:]:
        index = error.get("index")
        if index is not None and index not in told:
            told.add(index)
            kept.append(dict(error))
    return kept


def _is_union_tag(part: object) -> bool:
    return isinstance(part, str) and (
        part in ("int", "float", "str") or "[" in part or part.startswith("constrained-")
    )


def _words(error: Mapping[str, Any], fields: Collection[str]) -> str:
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(error["loc"][-1])[:MAX_FIELD], fields, 1)
        return "unknown field" + (f"; did you mean {close[0]}?" if close else "")
    if error["type"] in ("model_type", "model_attributes_type"):
        return 'must be an object with fields, as {"runs": [...]} is one'
    if error.get("ctx", {}).get("pattern") == WEB_ADDRESS:
        return "must be an address that begins with http:// or https:// and a host; no user and no password before it"
    return str(error["msg"]).removeprefix("Value error, ")
