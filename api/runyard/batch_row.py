"""One row of a batch file: each field checked, paths made absolute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from runyard_cluster.durations import parse_duration
from runyard_cluster.factor import check_factor
from runyard_cluster.moment_to_come import parse_moment
from runyard_cluster.share import SMALLEST_SHARE
from runyard_cluster.sizes import parse_size

MAX_TEXT = 200
MAX_PATH = 4_096
#: The kernel's limit for one argument on Linux.
MAX_ARG_BYTES = 131_071
PRIORITY_LIMIT = 1_000_000
MAX_RETRIES = 1_000


def normalise(row: Any, folder: Path) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the row as REST takes a run, and what is wrong with it as (field, message)."""
    if not isinstance(row, dict):
        return {}, [("", f"must be a table of fields, not {_kind(row)}")]
    run: dict[str, Any] = {}
    problems = []
    for given, value in row.items():
        field = "module" if given == "module_id" else given
        check = FIELDS.get(field)
        if check is None:
            problems.append((short(given), _unknown(given)))
        elif value is not None:
            try:
                run[field] = check(value)
            except ValueError as error:
                problems.append((field, str(error)))
    problems += _what_to_run(row)
    return _with_paths(run, folder), problems


def text(value: Any) -> str:
    """Check a short text."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"must be a text, not {_kind(value) if value != '' else 'empty'}")
    if len(value) > MAX_TEXT:
        raise ValueError(f"may have at most {MAX_TEXT} characters")
    return _plain(value)


def count(value: Any, lowest: int, highest: int = 2**31) -> int:
    """Check a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number, not {_kind(value)}")
    if not lowest <= value <= highest:
        raise ValueError(f"must be from {lowest} to {highest}")
    return value


def short(value: str) -> str:
    """Return a text cut to what a message can show."""
    return value if len(value) <= 60 else value[:59] + "…"


def _path(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"must be a path, as a text, not {_kind(value) if value != '' else 'empty'}")
    if len(value) > MAX_PATH:
        raise ValueError(f"may have at most {MAX_PATH} characters")
    return _plain(value)


def words(value: Any) -> list[str]:
    """Return a list of texts, as arguments are given. Raises ValueError."""
    if not isinstance(value, list):
        raise ValueError(f'must be a list of texts, as ["--lr", "0.1"], not {_kind(value)}')
    return [_word(each) for each in value]


def _command(value: Any) -> list[str]:
    found = words(value)
    if not found or not found[0]:
        raise ValueError('must name a program, as ["python", "train.py"]')
    return found


def _word(value: Any) -> str:
    """Numbers are taken too: `args = ["--lr", 0.1]` has one meaning only."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _digits(value)
    if not isinstance(value, str):
        raise ValueError(f"holds {_kind(value)}; only texts and numbers are allowed")
    if len(value) > MAX_ARG_BYTES // 4 and len(value.encode(errors="replace")) > MAX_ARG_BYTES:
        raise ValueError(f"one text may have at most {MAX_ARG_BYTES} bytes")
    return _plain(value)


def _digits(value: float) -> str:
    try:
        return str(value)
    except ValueError as error:
        raise ValueError("holds a number with too many digits") from error


def _table(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"must be a table of texts, not {_kind(value)}")
    return {_plain(key): _word(each) for key, each in value.items()}


def _env(value: Any) -> dict[str, str]:
    table = _table(value)
    for key in table:
        if not key or "=" in key:
            raise ValueError(f"{short(key)!r} is no name for a variable")
        if key.upper().startswith("RUNYARD_"):
            raise ValueError(f"{short(key)}: names that start with RUNYARD_ are set by runyard itself")
    return table


def _labels(value: Any) -> dict[str, str]:
    table = _table(value)
    for key, each in table.items():
        if not key or len(key) > MAX_TEXT or len(each) > MAX_TEXT:
            raise ValueError(f"names and values of labels may have at most {MAX_TEXT} characters")
    if len(table) > 64:
        raise ValueError("at most 64 labels are allowed")
    return table


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be a number, not {_kind(value)}")
    if not 0 <= value <= 100_000 or 0 < value < SMALLEST_SHARE:
        raise ValueError(f"must be 0, or from {SMALLEST_SHARE} to 100000")
    return value


def _cpus(value: Any) -> float | str:
    return value if value == "auto" else _share(value)


def _gpus(value: Any) -> float:
    share = _share(value)
    if share > 1 and share != int(share):
        raise ValueError("must be a fraction up to 1, or a whole number")
    return share


def _gpu_memory(value: Any) -> int | str:
    return "learn" if value == "learn" else parse_size(value)


def _memory(value: Any) -> int | str:
    return str(value) if value in ("auto", "learn") else parse_size(value)


def _timeout(value: Any) -> float:
    seconds = parse_duration(value)
    if seconds <= 0:
        raise ValueError("must be greater than 0; leave it out for no limit")
    return seconds


def _on_stall(value: Any) -> str:
    if value not in ("tell", "stop"):
        raise ValueError(f'must be "tell" or "stop", not {_kind(value)}')
    return str(value)


def _code(value: Any) -> str:
    if value not in ("shared", "ship"):
        raise ValueError(f'must be "shared" or "ship", not {_kind(value)}')
    return str(value)


def _after(value: Any) -> list[int | str]:
    given = value if isinstance(value, list) else [value]
    for each in given:
        if isinstance(each, bool) or not isinstance(each, int | str):
            raise ValueError(f"must be indexes or names of rows, not {_kind(each)}")
    return given


def _moment(value: Any) -> str:
    """It counts from when the batch is submitted, so "+10m" goes on as it is."""
    parse_moment(value)
    return str(value)


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {_kind(value)}")
    return value


def _exit_codes(value: Any) -> list[int]:
    return [count(each, 1, 2**32 - 1) for each in (value if isinstance(value, list) else [value])]


#: Every field a row may have, with its check.
FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "module": text,
    "command": _command,
    "script": _path,
    "args": words,
    "name": text,
    "env": _env,
    "cwd": _path,
    "python": _path,
    "labels": _labels,
    "priority": lambda value: count(value, -PRIORITY_LIMIT, PRIORITY_LIMIT),
    "max_retries": lambda value: count(value, 0, MAX_RETRIES),
    "retry_on_out_of_memory": check_factor,
    "max_concurrent": lambda value: count(value, 1),
    "num_cpus": _cpus,
    "num_gpus": _gpus,
    "memory": _memory,
    "gpu_memory": _gpu_memory,
    "node": text,
    "timeout": _timeout,
    "stall_after": parse_duration,
    "on_stall": _on_stall,
    "after": _after,
    "warm": _switch,
    "preload": words,
    "code": _code,
    "after_any": _after,
    "after_failed": _after,
    "delay_until": _moment,
    "hold": _switch,
    "queue_timeout": _timeout,
    "retry_delay": parse_duration,
    "retry_backoff": check_factor,
    "retry_delay_max": _timeout,
    "retry_exit_codes": _exit_codes,
}


def _what_to_run(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    if row.get("script") is not None and row.get("command") is not None:
        return [("script", "give `script` or `command`, not both")]
    if all(row.get(field) is None for field in ("module", "module_id", "script", "command")):
        return [("", "needs one of `module`, `command` and `script`")]
    return []


def _with_paths(run: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A batch file means the same wherever it is submitted from, so its folder is where its runs start."""
    if "cwd" in run or "script" in run or "command" in run:
        run["cwd"] = str(folder / Path(run.get("cwd", "")))
    if "script" in run:
        run["script"] = str(folder / run["script"])
    if "python" in run and len(Path(run["python"]).parts) > 1:
        run["python"] = str(folder / run["python"])
    return run


def _plain(value: str) -> str:
    if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("holds a character that is not allowed (NUL or half a surrogate pair)")
    return value


def _unknown(field: str) -> str:
    close = get_close_matches(field, FIELDS, 1)
    hint = f"; did you mean `{close[0]}`?" if close else "."
    return f"is not a field of a run{hint} Allowed: {', '.join(FIELDS)}"


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {short(value)!r}"
    return {dict: "a table", list: "a list", bool: str(value).lower(), type(None): "null"}.get(
        type(value), "a number" if isinstance(value, int | float) else f"a {type(value).__name__}"
    )
