"""What is wrong with settings, in words that name the place, the key and what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from runyard_cluster.quoted import quoted

#: One problem: `field` is the key, `message` the sentence for a person.
Problem = dict[str, str]

#: pydantic speaks of Python's kinds of values, a person knows those of TOML.
_KINDS = {
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "string_type": "must be a text",
    "tuple_type": "must be a list",
}

#: Fields of a model that nobody sets by hand.
_HIDDEN = {"source"}


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys that a part of the settings takes."""
    return [name for name in model.model_fields if name not in _HIDDEN]


def part_of(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    """Return the model of a key that holds keys of its own."""
    annotation = model.model_fields[key].annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def known_only(
    data: Mapping[str, Any], model: type[BaseModel], where: str, path: tuple[str, ...] = ()
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the keys that the model knows, and a problem for each other one."""
    kept: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in data.items():
        if key not in keys_of(model):
            problems.append(unknown(where, key, keys_of(model), path))
        else:
            kept[key], below = _known_below(value, model, key, where, path)
            problems += below
    return kept, problems


def unknown(
    where: str, key: str, allowed: Sequence[str], path: Iterable[str] = (), prefix: str = ""
) -> Problem:
    """Return the problem of a key that does not exist, with the nearest one that does."""
    # A common beginning would make any two names look alike.
    close = difflib.get_close_matches(key.removeprefix(prefix), [a.removeprefix(prefix) for a in allowed], 1)
    hint = f"did you mean `{prefix}{close[0]}`? " if close else ""
    field = dotted((*path, key))
    return {"field": field, "message": f"{where}: unknown key `{field}`; {hint}allowed: {', '.join(allowed)}"}


def invalid(where: str, field: str, words: str) -> Problem:
    """Return the problem of a value that is not allowed."""
    return {"field": field, "message": f"{where}: `{field}` {words}"}


def words_of(error: ErrorDetails) -> str:
    """Say what pydantic found. Values of an environment, which may be secret, are never shown."""
    words = str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    words = _KINDS.get(error["type"], words)
    if "env" in error["loc"] or quoted(error["input"]) in words:
        return f"is not valid: {words}"
    return f"is not valid: {words} (got {quoted(error['input'])})"


def dotted(names: Iterable[str]) -> str:
    """Return the name of a key as TOML writes it, kept short and on one line."""
    return ".".join(name if name.isprintable() and 0 < len(name) <= 60 else quoted(name) for name in names)


def _known_below(
    value: Any, model: type[BaseModel], key: str, where: str, path: tuple[str, ...]
) -> tuple[Any, list[Problem]]:
    part = part_of(model, key)
    if not isinstance(value, dict):
        return value, []
    if part is not None:
        return known_only(value, part, where, (*path, key))
    parts = [a for a in get_args(model.model_fields[key].annotation) if _is_model(a)]
    if not parts:
        return value, []
    found = {
        name: known_only(each, parts[0], where, (*path, key, name)) if isinstance(each, dict) else (each, [])
        for name, each in value.items()
    }
    return {name: kept for name, (kept, _) in found.items()}, [
        p for _, below in found.values() for p in below
    ]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
