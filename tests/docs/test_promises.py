"""Every promise names tests, and these are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROMISES = Path(__file__).parents[2] / "docs" / "PROMISES.md"
FIRST, _, BESIDE = PROMISES.read_text("utf-8").partition("## Beside these")
ROWS = [line for line in (FIRST + BESIDE).splitlines() if line.startswith("| **")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[4:40])
def test_a_promise_names_tests_that_exist(row: str) -> None:
    links = re.findall(r"\]\(([^)]+)\)", row)
    assert links
    for link in links:
        path = PROMISES.parent / link
        assert "def test_" in path.read_text("utf-8"), path


def test_all_sixteen_are_there() -> None:
    assert sum(row in FIRST for row in ROWS) == 16
