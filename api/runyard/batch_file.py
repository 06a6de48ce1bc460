"""Batch files: TOML, JSON, JSON Lines and CSV, each read into the same list of runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from runyard.batch_after import resolve_after
from runyard.batch_format import FORMATS, Row, Table, text_of
from runyard.batch_row import count, normalise, text, words
from runyard.grid import axes_of, multiply
from runyard.parameters import read_parameters
from runyard_cluster.errors import InvalidRequestError

#: What one submission may carry.
MAX_ROWS = 100_000
#: Problems that the message spells out; `details` of the error holds them all.
SHOWN_PROBLEMS = 5
BATCH_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "name": text,
    "max_concurrent": lambda value: count(value, 1),
    "max_failures": lambda value: count(value, 1),
    "after_batch": text,
    "on_end": words,
    "webhook": text,
}
#: What else a batch file may say of the batch: it is used up when the file is read.
PARAMETERS = ("grid", "for_each")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFile:
    """What a batch file asks for. Each run is a body as REST takes it; `after` holds indexes into `runs`."""

    runs: list[dict[str, Any]]
    name: str | None = None
    max_concurrent: int | None = None
    max_failures: int | None = None
    after_batch: str | None = None
    on_end: Sequence[str] | None = None
    webhook: str | None = None


def read_batch_file(path: Path) -> BatchFile:
    """Read a batch file. Paths in it are relative to its folder.

    Raises InvalidRequestError that names file, row, field and what is allowed; `details` names every bad row.
    """
    read = FORMATS.get(path.suffix.lower())
    if read is None:
        raise InvalidRequestError(f"{path}: a batch file's name ends in one of {', '.join(FORMATS)}")
    try:
        table = read(text_of(path))
    except ValueError as error:
        raise InvalidRequestError(f"{path}: {error}") from error
    except RecursionError as error:
        raise InvalidRequestError(f"{path}: is nested too deeply") from error
    return _checked(path, table)


def _checked(path: Path, table: Table) -> BatchFile:
    if not table.rows:
        raise InvalidRequestError(f"{path}: holds no runs")
    if len(table.rows) > MAX_ROWS:
        raise InvalidRequestError(
            f"{path}: holds {len(table.rows)} runs; a batch may have at most {MAX_ROWS}"
        )
    batch = _batch_fields(path, table.batch)
    rows = _multiplied(path, table)
    places = [row.place for row in rows]
    return BatchFile(
        runs=checked_runs(path, [row.values for row in rows], places, path.resolve().parent), **batch
    )


def checked_runs(
    path: Path, rows: Sequence[Any], places: Sequence[str], folder: Path
) -> list[dict[str, Any]]:
    """Return rows as REST takes runs; paths in them are relative to `folder`.

    Raises InvalidRequestError that names `path`, the row by its place, field and what is allowed.
    """
    runs: list[dict[str, Any]] = []
    problems: list[tuple[int, str, str]] = []
    for index, row in enumerate(rows):
        run, found = normalise(row, folder)
        runs.append(run)
        problems += [(index, field, message) for field, message in found]
    problems = problems or resolve_after(runs)
    if problems:
        _refuse(path, places, problems)
    return runs


def _multiplied(path: Path, table: Table) -> list[Row]:
    """Return the rows, once for each combination of the parameters that they use."""
    grid, for_each = table.batch.get("grid"), table.batch.get("for_each")
    if grid is None and for_each is None:
        return table.rows
    odd = next((row for row in table.rows if not isinstance(row.values, dict)), None)
    if odd is not None:
        raise InvalidRequestError(f"{path}: {odd.place}: must be a table of fields")
    try:
        axes = [] if grid is None else axes_of(_table_of(grid))
        if for_each is not None:
            axes.append(read_parameters(path.parent / text(for_each)))
        found = multiply([row.values for row in table.rows], axes, MAX_ROWS)
    except ValueError as error:
        raise InvalidRequestError(f"{path}: {error}") from error
    return [Row(table.rows[index].place, values) for index, values in found]


def _table_of(grid: Any) -> Mapping[str, Any]:
    if not isinstance(grid, dict):
        raise ValueError("grid must be a table of lists of values")
    return grid


def _batch_fields(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for field, value in given.items():
        if field in PARAMETERS:
            continue
        check = BATCH_FIELDS.get(field)
        if check is None:
            allowed = [*BATCH_FIELDS, *PARAMETERS, "runs"]
            hint = "".join(f"; did you mean `{m}`?" for m in get_close_matches(field, allowed, 1))
            raise InvalidRequestError(
                f"{path}: unknown key `{field[:100]}`{hint} allowed: {', '.join(allowed)}"
            )
        try:
            found[field] = check(value)
        except ValueError as error:
            raise InvalidRequestError(f"{path}: {field}: {error}") from error
    return found


def _refuse(path: Path, places: Sequence[str], problems: list[tuple[int, str, str]]) -> NoReturn:
    lines = [f"{path}: {places[i]}: {f + ': ' if f else ''}{m}" for i, f, m in problems[:SHOWN_PROBLEMS]]
    left = len(problems) - SHOWN_PROBLEMS
    if left > 0:
        lines.append(f"{path}: and {left} more problem{'s' if left > 1 else ''}")
    raise InvalidRequestError(
        "\n".join(lines), [{"index": i, "field": f, "message": m} for i, f, m in problems]
    )
