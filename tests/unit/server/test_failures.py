"""Failures in groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runyard.server.failures import groups, last_line
from runyard_actors.run_folder import RunFolder

RUN = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def failure(run_id: str, reason: str = "exit_code", detail: str | None = "exit code 1") -> dict[str, Any]:
    return {"run_id": run_id, "attempt": 1, "reason": reason, "reason_detail": detail}


def test_the_same_error_with_other_numbers_is_one_group_and_the_largest_comes_first() -> None:
    lines = {"a": "KeyError: 7", "b": "no space left", "c": "KeyError: 12", "d": "KeyError: 3"}
    found = groups([failure(run_id) for run_id in lines], lambda run: lines[run["run_id"]])
    assert [(g["sentence"], g["run_ids"]) for g in found] == [
        ("KeyError: 7", ["a", "c", "d"]),
        ("no space left", ["b"]),
    ]


def test_other_reasons_are_other_groups_and_no_line_leaves_the_reason() -> None:
    found = groups([failure("a"), failure("b", "timeout", None)], lambda run: "")
    assert {(g["reason"], g["sentence"]) for g in found} == {
        ("exit_code", "exit code 1"),
        ("timeout", "timeout"),
    }


def test_the_last_line_is_the_last_with_anything_on_it_without_colours(tmp_path: Path) -> None:
    log = RunFolder.of(tmp_path, RUN, 1).log_file
    log.parent.mkdir(parents=True)
    log.write_bytes(b"x" * 10_000 + b"\nTraceback:\n\x1b[31mValueError: \xff no\x1b[0m\r\n\n  \n")
    assert last_line(tmp_path, failure(RUN)) == "ValueError: \ufffd no"


def test_without_a_log_there_is_no_line(tmp_path: Path) -> None:
    assert last_line(tmp_path, failure(RUN)) == ""
