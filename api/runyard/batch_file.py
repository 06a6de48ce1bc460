"""Batch files: TOML, JSON, JSON Lines and CSV, each read into the same list of runs."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from runyard.batch_after import resolve_after
from runyard.batch_cells import from_cells
from runyard.batch_row import count, normalise, text
from runyard_cluster.errors import InvalidRequestError

#: What one submission may carry.
MAX_BYTES = 16 * 1024 * 1024
MAX_ROWS = 100_000
#: Problems that the message spells out; `details` of the error holds them all.
SHOWN_PROBLEMS = 5
BATCH_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "name": text,
    "max_concurrent": lambda value: count(value, 1),
    "max_failures": lambda value: count(value, 1),
    "after_batch": text,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFile:
    """What a batch file asks for. Each run is a body as REST takes it; `after` holds indexes into `runs`."""

    runs: list[dict[str, Any]]
    name: str | None = None
    max_concurrent: int | None = None
    max_failures: int | None = None
    after_batch: str | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    """A row as it stands in the file; `place` is how a person finds it."""

    place: str
    values: Any


@dataclass(frozen=True, slots=True)
class _Table:
    rows: list[_Row]
    batch: Mapping[str, Any]


def read_batch_file(path: Path) -> BatchFile:
    """Read a batch file. Paths in it are relative to its folder.

    Raises InvalidRequestError that names file, row, field and what is allowed; `details` names every bad row.
    """
    read = FORMATS.get(path.suffix.lower())
    if read is None:
        raise InvalidRequestError(f"{path}: a batch file's name ends in one of {', '.join(FORMATS)}")
    try:
        table = read(_text_of(path))
    except ValueError as error:
        raise InvalidRequestError(f"{path}: {error}") from error
    except RecursionError as error:
        raise InvalidRequestError(f"{path}: is nested too deeply") from error
    return _checked(path, table)


def _checked(path: Path, table: _Table) -> BatchFile:
    if not table.rows:
        raise InvalidRequestError(f"{path}: holds no runs")
    if len(table.rows) > MAX_ROWS:
        raise InvalidRequestError(
            f"{path}: holds {len(table.rows)} runs; a batch may have at most {MAX_ROWS}"
        )
    batch = _batch_fields(path, table.batch)
    folder = path.resolve().parent
    runs: list[dict[str, Any]] = []
    problems: list[tuple[int, str, str]] = []
    for index, row in enumerate(table.rows):
        run, found = normalise(row.values, folder)
        runs.append(run)
        problems += [(index, field, message) for field, message in found]
    problems = problems or resolve_after(runs)
    if problems:
        _refuse(path, table.rows, problems)
    return BatchFile(runs=runs, **batch)


def _batch_fields(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for field, value in given.items():
        check = BATCH_FIELDS.get(field)
        if check is None:
            allowed = [*BATCH_FIELDS, "runs"]
            hint = "".join(f"; did you mean `{m}`?" for m in get_close_matches(field, allowed, 1))
            raise InvalidRequestError(
                f"{path}: unknown key `{field[:100]}`{hint} allowed: {', '.join(allowed)}"
            )
        try:
            found[field] = check(value)
        except ValueError as error:
            raise InvalidRequestError(f"{path}: {field}: {error}") from error
    return found


def _refuse(path: Path, rows: list[_Row], problems: list[tuple[int, str, str]]) -> NoReturn:
    lines = [f"{path}: {rows[i].place}: {f + ': ' if f else ''}{m}" for i, f, m in problems[:SHOWN_PROBLEMS]]
    left = len(problems) - SHOWN_PROBLEMS
    if left > 0:
        lines.append(f"{path}: and {left} more problem{'s' if left > 1 else ''}")
    raise InvalidRequestError(
        "\n".join(lines), [{"index": i, "field": f, "message": m} for i, f, m in problems]
    )


def _text_of(path: Path) -> str:
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


def _read_toml(content: str) -> _Table:
    try:
        data = tomllib.loads(content)
    except ValueError as error:
        raise ValueError(f"is not valid TOML: {error}") from error
    return _document(data)


def _read_json(content: str) -> _Table:
    try:
        data = _json(content)
    except json.JSONDecodeError as error:
        hint = "; a file of one object a line is named .jsonl" if error.msg == "Extra data" else ""
        raise ValueError(
            f"is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno}){hint}"
        ) from error
    return _Table(_numbered(data), {}) if isinstance(data, list) else _document(data)


def _read_json_lines(content: str) -> _Table:
    rows: list[_Row] = []
    # Only a line feed ends a line of JSON: the other ends that Unicode knows may stand inside a text.
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            try:
                value = _json(line)
            except json.JSONDecodeError as error:
                raise ValueError(
                    f"line {number} is not valid JSON: {error.msg} (column {error.colno})"
                ) from error
            rows.append(_Row(f"row {len(rows) + 1} (line {number})", value))
    return _Table(rows, {})


def _read_csv(content: str) -> _Table:
    lines = csv.reader(io.StringIO(content, newline=""), delimiter=_delimiter(content), strict=True)
    try:
        header = [name.strip() for name in next(lines, [])]
        _check_header(header)
        return _Table(list(_csv_rows(header, lines, lambda: lines.line_num)), {})
    except csv.Error as error:
        raise ValueError(f"is not valid CSV: {error} (line {lines.line_num})") from error


def _csv_rows(header: list[str], lines: Iterable[list[str]], line: Callable[[], int]) -> Iterable[_Row]:
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
            yield _Row(place, from_cells(dict(zip(header, cells, strict=False))))
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from error


def _check_header(header: list[str]) -> None:
    if "" in header:
        raise ValueError(f"column {header.index('') + 1} of the header has no name")
    twins = {name for name in header if header.count(name) > 1} if len(header) < 1_000 else {"too many"}
    if twins:
        raise ValueError(f"the header names {min(twins)!r} twice")


def _delimiter(content: str) -> str:
    """Spreadsheets of some countries write semicolons; a header without a comma tells."""
    header = content.partition("\n")[0]
    return next((d for d in ",;\t" if d in header), ",")


def _document(data: Any) -> _Table:
    if not isinstance(data, dict):
        raise ValueError('must be a list of runs, or {"runs": [...]}')
    runs = data.pop("runs", None)
    if not isinstance(runs, list):
        raise ValueError("needs `runs`: a list of runs ([[runs]] tables in TOML)")
    return _Table(_numbered(runs), data)


def _numbered(values: list[Any]) -> list[_Row]:
    return [_Row(f"row {i + 1} (runs[{i}])", value) for i, value in enumerate(values)]


def _json(content: str) -> Any:
    return json.loads(content, parse_constant=_no_constant)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"holds {name}, which JSON does not allow")


#: How each kind of file is read, by the end of its name.
FORMATS: Mapping[str, Callable[[str], _Table]] = {
    ".toml": _read_toml,
    ".json": _read_json,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".csv": _read_csv,
    ".tsv": _read_csv,
}
