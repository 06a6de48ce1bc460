"""Settings from `RUNYARD_*` variables, where everything is a text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_settings import BaseSettings, EnvSettingsSource

from runyard_cluster.setting_kinds import number_from
from runyard_cluster.setting_problems import Problem, invalid, keys_of, part_of, unknown

PREFIX = "RUNYARD_"
WHERE = "environment"

#: Variables of that prefix that are no settings: what a module is told, and what a caller says of itself.
NO_SETTINGS = frozenset(
    PREFIX + name
    for name in (
        *("RUN_ID", "ATTEMPT", "BATCH_ID", "REPORT", "NONCE"),
        *("CONFIG", "URL", "TOKEN", "FAIL", "LOG_LEVEL", "WEB", "NODE"),
    )
)

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


def read_variables(
    model: type[BaseSettings], environ: Mapping[str, str]
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the settings that variables name, and what is wrong with variables. Empty ones do not count."""
    known = _known(model)
    problems = [
        unknown(WHERE, name, sorted(known), prefix=PREFIX)
        for name in environ
        if name.startswith(PREFIX) and name not in known and name not in NO_SETTINGS
    ]
    texts: dict[str, str] = {}
    for name, path in known.items():
        text = environ.get(name)
        if text and (problem := _add(texts, model, name, path, text)):
            problems.append(problem)
    source = EnvSettingsSource(model)
    source.env_vars = {name.lower(): text for name, text in texts.items()}
    return _typed(source(), model), problems


def variable_of(path: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """Return the variable that a setting came from, the most special one first."""
    names = (PREFIX + "_".join(path[:depth]).upper() for depth in (2, 1))
    return next((name for name in names if environ.get(name)), None)


def _known(model: type[BaseSettings]) -> dict[str, tuple[str, ...]]:
    paths: list[tuple[str, ...]] = []
    for key in keys_of(model):
        part = part_of(model, key)
        paths += [(key,), *((key, below) for below in (keys_of(part) if part else ()))]
    return {PREFIX + "_".join(path).upper(): path for path in paths}


def _add(
    texts: dict[str, str], model: type[BaseSettings], name: str, path: tuple[str, ...], text: str
) -> Problem | None:
    """Take a variable's text; one for a list or a table must be JSON, or for a list words with commas."""
    kind = get_origin(model.model_fields[path[0]].annotation)
    if kind is tuple and not text.lstrip().startswith("["):
        text = json.dumps([word.strip() for word in text.split(",")])
    if len(path) == 1 and (kind is not None or part_of(model, path[0])) and not _is_json(text, kind):
        return invalid(WHERE, name, f"must be JSON: {'a list' if kind is tuple else 'an object'}")
    texts[name] = text
    return None


def _is_json(text: str, kind: Any) -> bool:
    if kind not in (tuple, dict, None):
        return True
    try:
        return isinstance(json.loads(text), list if kind is tuple else dict)
    except (ValueError, RecursionError):
        return False


def _typed(data: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Turn texts into numbers and truths where the settings are such; what can't be stays, to be refused."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        part = part_of(model, key) if key in model.model_fields else None
        if part is not None and isinstance(value, dict):
            found[key] = _typed(value, part)
        elif isinstance(value, str) and key in model.model_fields:
            found[key] = _value(value, model.model_fields[key].annotation)
        else:
            found[key] = value
    return found


def _value(text: str, annotation: Any) -> Any:
    kinds = {annotation, *get_args(annotation)}
    if bool in kinds and text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    return number_from(text) if kinds & {int, float} else text
