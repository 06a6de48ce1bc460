"""Runs of a batch that differ in their arguments alone: what they share is checked once."""

from __future__ import annotations

import marshal
from collections.abc import Sequence
from typing import Any

from runyard.server.fields import MAX_PROCESS_BYTES, is_longer
from runyard.server.schemas import RunIn

#: Arguments with so many characters in all, and so many of them, are within every limit there is for them, as long as
#: the rest of the run leaves room for as much in UTF-8.
_FEW = 4_096
_ROOM = MAX_PROCESS_BYTES - 4 * _FEW


class Likeness:
    """Checks runs one after the other, and only the arguments of one that is otherwise like one before.

    Whatever is out of the ordinary is checked as a whole, so that it is refused in the same words.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, RunIn] = {}

    def checked(self, given: Any) -> tuple[RunIn, Sequence[str]]:
        """Return the run, which those like it share, and its own arguments. Raises pydantic.ValidationError."""
        key = _without_arguments(given)
        known = self._known.get(key) if key else None
        if known and _are_plain(args := given.get("args", [])):
            return known, args
        run = RunIn.model_validate(given)
        if key and not is_longer([*(run.command or ()), *run.env, *run.env.values()], _ROOM):
            self._known[key] = run
        return run, run.args


def _without_arguments(given: Any) -> bytes | None:
    """Return what a run is but for its arguments; None if it cannot be like any other.

    As bytes, since to Python 1, 1.0 and true are the same, and to us they are not. No other way to have them from
    Python's own objects takes as little time.
    """
    if not isinstance(given, dict):
        return None
    try:
        return marshal.dumps({name: value for name, value in given.items() if name != "args"}, 2)
    except ValueError:
        return None


def _are_plain(args: Any) -> bool:
    if type(args) is not list or len(args) > _FEW or not set(map(type, args)) <= {str}:
        return False
    text = "".join(args)
    return len(text) <= _FEW and "\0" not in text
