"""The store's SQL statements by name, read once from `queries.sql`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- (\w+) --$", re.MULTILINE)
_INCLUDE = re.compile(r"\{(\w+)\}")


def sql(name: str) -> str:
    """Return the statement of that name."""
    return _statements()[name]


@cache
def _statements() -> dict[str, str]:
    return statements("queries.sql")


def statements(*names: str) -> dict[str, str]:
    """Return the statements of these files by name; one of a later file stands for one of an earlier file."""
    raw: dict[str, str] = {}
    for name in names:
        text = files("runyard_actors.store").joinpath(name).read_text(encoding="utf-8")
        _, *parts = _NAME.split(re.sub(r"^-- (## .*|[^\n]*\.)$", "", text, flags=re.MULTILINE))
        raw |= {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
    return {name: _expand(body, raw) for name, body in raw.items()}


def _expand(body: str, raw: dict[str, str]) -> str:
    return _INCLUDE.sub(lambda match: _expand(raw[match[1]], raw), body)
