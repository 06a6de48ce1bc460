"""Grids: rows of a batch multiplied by the values of parameters, which placeholders stand for.

A row is multiplied by those parameters that it uses, and by no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from math import prod
from typing import Any

#: `{name}` stands for a value of a parameter, `{{name}}` for the text `{name}`.
_PLACEHOLDER = re.compile(r"\{\{([A-Za-z_]\w*)\}\}|\{([A-Za-z_]\w*)\}")
_NAME = re.compile(r"[A-Za-z_]\w*")
#: The fields of a row that name other rows.
_NAMING = ("after", "after_any", "after_failed")
#: The fields that are texts whatever a value is.
_TEXTS = frozenset(("name", "module", "module_id", "script", "python", "cwd", "delay_until"))

Point = dict[str, Any]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Axis:
    """Parameters that change together: one, or a zipped group. Each point has a value for each of them."""

    names: tuple[str, ...]
    points: Sequence[Point]


def axes_of(grid: Mapping[str, Any]) -> list[Axis]:
    """Return what a grid is made of: a list of values for each parameter, or a table of lists of equal length.

    Raises ValueError naming the parameter.
    """
    axes = [
        _zipped(name, given) if isinstance(given, Mapping) else _single(name, given)
        for name, given in grid.items()
    ]
    _refuse_twins(axes)
    return axes


def axis_of_rows(rows: Sequence[Mapping[str, Any]], where: str) -> Axis:
    """Return an axis whose points are rows of a table. Raises ValueError when they differ in their columns."""
    names = tuple(rows[0]) if rows else ()
    if not names:
        raise ValueError(f"{where} holds no rows")
    for number, row in enumerate(rows, 1):
        if set(row) != set(names):
            odd = min(set(row) ^ set(names))
            raise ValueError(f"{where}: row {number} and the first one differ: only one of them has {odd!r}")
    for name in names:
        _check_name(name)
    return Axis(names, [dict(row) for row in rows])


def points_of(axes: Sequence[Axis], limit: int) -> list[Point]:
    """Return every combination of the axes' points, the last axis changing first. Raises ValueError for too many."""
    _refuse_twins(axes)
    total = prod(len(axis.points) for axis in axes)
    if total > limit:
        raise ValueError(f"the grid has {total} points; a batch may have at most {limit} runs")
    return [_merged(each) for each in product(*(axis.points for axis in axes))]


def multiply(rows: Sequence[Row], axes: Sequence[Axis], limit: int) -> list[tuple[int, dict[str, Any]]]:
    """Return each row once for each combination of the parameters that it uses, with the index it had.

    An index in `after`, `after_any` or `after_failed` stands for all runs that the row of that index became.
    Raises ValueError for a placeholder that stands for nothing, a parameter that nobody uses, and too many runs.
    """
    _refuse_twins(axes)
    known = {name for axis in axes for name in axis.names}
    used = [set(_names_in(row)) for row in rows]
    _refuse_unknown(used, known)
    _refuse_unused(used, axes)
    wanted = [[axis for axis in axes if not names.isdisjoint(axis.names)] for names in used]
    total = sum(prod(len(axis.points) for axis in each) for each in wanted)
    if total > limit:
        raise ValueError(f"the grid makes {total} runs; a batch may have at most {limit}")
    found = [
        (index, _filled_row(row, point))
        for index, (row, each) in enumerate(zip(rows, wanted, strict=True))
        for point in points_of(each, limit)
    ]
    _renumber(found, len(rows))
    return found


def _single(name: str, given: Any) -> Axis:
    _check_name(name)
    if not isinstance(given, list | tuple) or not given:
        raise ValueError(f"grid.{name} must be a list of values, or a table of lists that change together")
    return Axis((name,), [{name: _value(name, each)} for each in given])


def _zipped(group: str, given: Mapping[str, Any]) -> Axis:
    columns = [_single(name, values) for name, values in given.items()]
    lengths = {len(axis.points) for axis in columns}
    if len(lengths) != 1:
        raise ValueError(f"the lists of grid.{group} change together, so all must have the same length")
    names = tuple(name for axis in columns for name in axis.names)
    return Axis(names, [_merged(each) for each in zip(*(axis.points for axis in columns), strict=True)])


def _value(name: str, value: Any) -> Any:
    if not isinstance(value, str | int | float):
        raise ValueError(
            f"grid.{name} holds {type(value).__name__}; only texts, numbers, true and false are allowed"
        )
    return value


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:60]!r} is no name for a parameter; letters, digits and _ are allowed")


def _refuse_twins(axes: Sequence[Axis]) -> None:
    names = [name for axis in axes for name in axis.names]
    twins = sorted({name for name in names if names.count(name) > 1}) if len(names) < 1_000 else []
    if twins:
        raise ValueError(f"parameter {twins[0]!r} is there twice")


def _refuse_unknown(used: Iterable[set[str]], known: set[str]) -> None:
    for name in sorted({name for names in used for name in names} - known):
        close = get_close_matches(name, sorted(known), 1)
        hint = f"; did you mean {{{close[0]}}}?" if close else "."
        raise ValueError(
            f"{{{name}}} stands for no parameter{hint} Write {{{{{name}}}}} for the text {{{name}}}; "
            f"parameters: {', '.join(sorted(known))[:300] or 'none'}"
        )


def _refuse_unused(used: Sequence[set[str]], axes: Sequence[Axis]) -> None:
    """An axis of which nothing is used would change nothing, which nobody means."""
    everywhere = {name for names in used for name in names}
    for axis in axes:
        if everywhere.isdisjoint(axis.names):
            raise ValueError(
                f"no row uses parameter {axis.names[0]!r}; put {{{axis.names[0]}}} where it belongs"
            )


def _names_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from (match[2] for match in _PLACEHOLDER.finditer(value) if match[2])
    elif isinstance(value, Mapping):
        for each in (*value.keys(), *value.values()):
            yield from _names_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _names_in(each)


def _filled_row(row: Row, point: Point) -> dict[str, Any]:
    """A field that is one placeholder and nothing else becomes the value itself: a number stays a number."""
    run: dict[str, Any] = {}
    for field, value in row.items():
        whole = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
        is_value = whole is not None and whole[2] and field not in _TEXTS
        run[field] = point[whole[2]] if whole and is_value else _filled(value, point)
    return run


def _filled(value: Any, point: Point) -> Any:
    if isinstance(value, str):
        return _PLACEHOLDER.sub(_replacement(point), value)
    if isinstance(value, Mapping):
        return {_filled(k, point): _filled(v, point) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(each, point) for each in value]
    return value


def _replacement(point: Point) -> Callable[[re.Match[str]], str]:
    return lambda match: f"{{{match[1]}}}" if match[1] else _text(point[match[2]])


def _text(value: Any) -> str:
    """As TOML and JSON write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _merged(points: Iterable[Point]) -> Point:
    found: Point = {}
    for point in points:
        found |= point
    return found


def _renumber(found: list[tuple[int, dict[str, Any]]], rows: int) -> None:
    """Let indexes of rows be indexes of runs."""
    places: list[list[int]] = [[] for _ in range(rows)]
    for place, (index, _) in enumerate(found):
        places[index].append(place)
    for _, run in found:
        for field in _NAMING:
            given = run.get(field)
            if isinstance(given, list):
                run[field] = [place for each in given for place in _places(each, places)]
            elif given is not None:
                run[field] = _places(given, places)


def _places(wanted: Any, places: Sequence[Sequence[int]]) -> Sequence[Any]:
    is_index = isinstance(wanted, int) and not isinstance(wanted, bool)
    return places[wanted] if is_index and 0 <= wanted < len(places) else [wanted]
