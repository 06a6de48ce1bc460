"""Formats of batch files: each is read into the same table of rows."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from runyard.batch_cells import from_cells

#: What one submission may carry.
MAX_BYTES = 16 * 1024 * 1024
#: The time that tomllib takes for a dotted key grows with the square of its parts: with 200,000 it has no end.
_LONG_KEY = re.compile(r"(?<![\w.-])(?:[\w-]+\.){1000}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it stands in the file; `place` is how a person finds it."""

    place: str
    values: Any


@dataclass(frozen=True, slots=True)
class Table:
    """A file's rows, and what it says of the batch as a whole."""

    rows: list[Row]
    batch: Mapping[str, Any]


def text_of(path: Path) -> str:
    """Return a file's text. Raises ValueError saying why it cannot be had."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise ValueError(f"is too large; a batch file may have at most {MAX_BYTES // 2**20} MiB")
    # Windows tools write UTF-16 when output is redirected; its mark tells it for sure.
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (byte {error.start})") from error


def _read_toml(content: str) -> Table:
    if _LONG_KEY.search(content):
        raise ValueError("holds a key of more than a thousand parts")
    try:
        data = tomllib.loads(content)
    except ValueError as error:
        raise ValueError(f"is not valid TOML: {error}") from error
    return _document(data)


def _read_json(content: str) -> Table:
    try:
        data = _json(content)
    except json.JSONDecodeError as error:
        hint = "; a file of one object a line is named .jsonl" if error.msg == "Extra data" else ""
        raise ValueError(
            f"is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno}){hint}"
        ) from error
    return Table(_numbered(data), {}) if isinstance(data, list) else _document(data)


def _read_json_lines(content: str) -> Table:
    rows: list[Row] = []
    # Only a line feed ends a line of JSON: the other ends that Unicode knows may stand inside a text.
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            try:
                value = _json(line)
            except json.JSONDecodeError as error:
                raise ValueError(
                    f"line {number} is not valid JSON: {error.msg} (column {error.colno})"
                ) from error
            rows.append(Row(f"row {len(rows) + 1} (line {number})", value))
    return Table(rows, {})


def _read_csv(content: str) -> Table:
    lines = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter_of(content), strict=True)
    try:
        header = [name.strip() for name in next(lines, [])]
        check_header(header)
        return Table(list(_csv_rows(header, lines, lambda: lines.line_num)), {})
    except csv.Error as error:
        raise ValueError(f"is not valid CSV: {error} (line {lines.line_num})") from error


def _csv_rows(header: list[str], lines: Iterable[list[str]], line: Callable[[], int]) -> Iterable[Row]:
    index = 0
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        index += 1
        place = f"row {index} (line {line()})"
        if len(cells) > len(header):
            raise ValueError(
                f"{place} has {len(cells)} cells, the header {len(header)}; quote cells with commas"
            )
        try:
            yield Row(place, from_cells(dict(zip(header, cells, strict=False))))
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from error


def check_header(header: list[str]) -> None:
    """Raise ValueError for columns that have no name of their own."""
    if "" in header:
        raise ValueError(f"column {header.index('') + 1} of the header has no name")
    twins = {name for name in header if header.count(name) > 1} if len(header) < 1_000 else {"too many"}
    if twins:
        raise ValueError(f"the header names {min(twins)!r} twice")


def delimiter_of(content: str) -> str:
    """Spreadsheets of some countries write semicolons; a header without a comma tells."""
    header = content.partition("\n")[0]
    return next((d for d in ",;\t" if d in header), ",")


def _document(data: Any) -> Table:
    if not isinstance(data, dict):
        raise ValueError('must be a list of runs, or {"runs": [...]}')
    runs = data.pop("runs", None)
    if not isinstance(runs, list):
        raise ValueError("needs `runs`: a list of runs ([[runs]] tables in TOML)")
    return Table(_numbered(runs), data)


def _numbered(values: list[Any]) -> list[Row]:
    return [Row(f"row {i + 1} (runs[{i}])", value) for i, value in enumerate(values)]


def _json(content: str) -> Any:
    return json.loads(content, parse_constant=_no_constant)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"holds {name}, which JSON does not allow")


#: How each kind of file is read, by the end of its name.
FORMATS: Mapping[str, Callable[[str], Table]] = {
    ".toml": _read_toml,
    ".json": _read_json,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".csv": _read_csv,
    ".tsv": _read_csv,
}
