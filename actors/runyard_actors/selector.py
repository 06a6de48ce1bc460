"""Selectors: nodes chosen by what they are labelled with, as `zone=a,gpu=*H100*` or `kind!=laptop`.

Written as kubectl writes a label selector: terms between commas, of which all have to hold. Values are patterns with
`*` and `?`, in which case does not matter. A node without the label has no value that a pattern is like, so `!=` holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

Labels = tuple[tuple[str, str], ...]

_HOW = "write it as key=value or key!=value, with commas between several, as in zone=a,gpu=*H100*"


class _Term(NamedTuple):
    key: str
    pattern: str
    is_wanted: bool


def is_selector(node: str) -> bool:
    """Whether this selects nodes by their labels, rather than one by its name."""
    return "=" in node


@lru_cache(maxsize=16_384)
def selects(selector: str, labels: Labels) -> bool:
    """Whether a node with these labels is one of those that are selected; what is no selector selects none."""
    values = dict(labels)
    try:
        return all(_holds(term, values.get(term.key)) for term in _terms(selector))
    except ValueError:
        return False


def check_selector(selector: str) -> None:
    """Raise ValueError, in words, for what is no selector."""
    _terms(selector)


def _holds(term: _Term, value: str | None) -> bool:
    return (value is not None and fnmatchcase(value.casefold(), term.pattern)) is term.is_wanted


@lru_cache(maxsize=1024)
def _terms(selector: str) -> Sequence[_Term]:
    return [_term(text) for text in selector.split(",")]


def _term(text: str) -> _Term:
    key, sign, pattern = text.partition("=")
    pattern = pattern.removeprefix("=")
    wanted = not key.endswith("!")
    key = key.removesuffix("!").strip()
    if not sign or not key or not pattern.strip():
        raise ValueError(f"{text.strip()!r} selects no nodes: {_HOW}")
    return _Term(key, pattern.strip().casefold(), wanted)
