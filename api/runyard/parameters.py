"""Files of parameters: columns are parameters, rows their values, one set after the other."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from runyard.batch_format import FORMATS, check_header, delimiter_of, text_of
from runyard.grid import Axis, axis_of_rows
from runyard_cluster.errors import InvalidRequestError


def read_parameters(path: Path) -> Axis:
    """Read a file whose columns are parameters and whose rows are their values. Raises InvalidRequestError."""
    kind = path.suffix.lower()
    if kind not in (".csv", ".tsv", ".json", ".jsonl", ".ndjson"):
        raise InvalidRequestError(
            f"{path}: a file of parameters is CSV, JSON or JSON Lines, by the end of its name"
        )
    try:
        content = text_of(path)
        rows = (
            _csv_texts(content)
            if kind in (".csv", ".tsv")
            else [row.values for row in FORMATS[kind](content).rows]
        )
        for number, row in enumerate(rows, 1):
            _refuse_no_values(number, row)
        return axis_of_rows(rows, str(path))
    except (ValueError, RecursionError) as error:
        words = str(error)
        raise InvalidRequestError(words if words.startswith(str(path)) else f"{path}: {words}") from error


def _refuse_no_values(number: int, row: Any) -> None:
    if not isinstance(row, dict):
        raise ValueError(f"row {number} must be an object, a value for each parameter")
    for name, value in row.items():
        if not isinstance(value, str | int | float):
            raise ValueError(f"row {number}: {name} must be a text, a number, true or false")


def _csv_texts(content: str) -> list[dict[str, str]]:
    """Return the cells of a CSV file as they are, by their column."""
    lines = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter_of(content), strict=True)
    try:
        header = [name.strip() for name in next(lines, [])]
        check_header(header)
        cells = [line for line in lines if any(cell.strip() for cell in line)]
    except csv.Error as error:
        raise ValueError(f"is not valid CSV: {error} (line {lines.line_num})") from error
    for number, line in enumerate(cells, 1):
        if len(line) > len(header):
            raise ValueError(f"row {number} has {len(line)} cells, the header {len(header)}")
    return [dict(zip(header, (*line, *[""] * len(header)), strict=False)) for line in cells]
