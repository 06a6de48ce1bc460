"""Every Python example in the documents runs as it stands, and every link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import TestSession, embedded

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:|#)([^)#\s]+)")


def blocks() -> Iterator[tuple[str, str]]:
    """Yield each Python example with the name of where it stands."""
    for document in DOCUMENTS:
        for number, match in enumerate(BLOCK.finditer(document.read_text("utf-8")), 1):
            yield f"{document.name}-{number}", match[1]


@pytest.fixture(scope="module")
def served() -> Iterator[TestSession]:
    """A server for all examples, with the settings a reader would have."""
    with embedded("cpu_busy_percent = 0\n") as session:
        yield session


@pytest.mark.parametrize(("name", "code"), list(blocks()), ids=[name for name, _ in blocks()])
def test_an_example_runs(served: TestSession, tmp_path: Path, name: str, code: str) -> None:
    environ = {**os.environ, "RUNYARD_CONFIG": str(served.data_dir.path.parent / "runyard.toml")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    for said in re.findall(r"#  ?(\d+ accepted, .*)$", code, re.MULTILINE):
        assert said in done.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_links_lead_somewhere(document: Path) -> None:
    missing = [to for to in LINK.findall(document.read_text("utf-8")) if not (document.parent / to).exists()]
    assert not missing
