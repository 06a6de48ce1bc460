"""Cells of a CSV batch file, turned from texts into values."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from runyard.batch_row import short


def from_cells(cells: Mapping[str, str]) -> dict[str, Any]:
    """Return a CSV row's texts as values. An empty cell is unset. Raises ValueError naming the column."""
    row: dict[str, Any] = {}
    for column, cell in cells.items():
        if not cell.strip():
            continue
        group, dot, key = column.partition(".")
        try:
            if dot and group in ("env", "label", "labels"):
                row.setdefault("env" if group == "env" else "labels", {})[key] = cell
            elif column in ("env", "labels"):
                row.setdefault(column, {}).update(_pairs(cell))
            else:
                row[column] = CELLS.get(column, str)(cell.strip())
        except ValueError as error:
            raise ValueError(f"{column}: {error}") from error
    return row


def _number(cell: str) -> Any:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell


def _pairs(cell: str) -> dict[str, str]:
    found = {}
    for word in shlex.split(cell.replace(",", " ")):
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{short(word)!r} must be KEY=VALUE")
        found[key] = value
    return found


def _words(cell: str) -> list[Any]:
    """A list as JSON has it, or words as in a shell."""
    found = _list(cell)
    return shlex.split(cell) if found is None else found


def _list(cell: str) -> list[Any] | None:
    try:
        found = json.loads(cell) if cell.startswith("[") else None
    except ValueError:
        return None  # A word may begin with a bracket.
    return found if isinstance(found, list) else None


def _names(cell: str) -> list[Any]:
    found = _list(cell)
    if found is not None:
        return found
    return [
        int(part) if part.isdecimal() and len(part) < 10 else part
        for part in re.split(r"[\s,;]+", cell)
        if part
    ]


def _switch(cell: str) -> bool:
    try:
        return {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}[cell.lower()]
    except KeyError:
        raise ValueError(f"{short(cell)!r} must be true or false") from None


#: How a cell becomes a value; what is not here stays a text.
CELLS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(
        (
            *("priority", "max_retries", "retry_on_out_of_memory", "max_concurrent"),
            *("num_cpus", "num_gpus", "timeout", "stall_after"),
            *("queue_timeout", "retry_delay", "retry_backoff", "retry_delay_max"),
        ),
        _number,
    ),
    **dict.fromkeys(("args", "command", "preload"), _words),
    **dict.fromkeys(("after", "after_any", "after_failed", "retry_exit_codes"), _names),
    "hold": _switch,
    "warm": _switch,
}
