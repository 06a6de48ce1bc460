"""Patterns leave out what they leave out for git."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from runyard_cluster.code.ignore import is_ignored, rules_of

PATTERNS = [
    "*.log", "/build", "data/", "!data/keep/", "docs/**/tmp", "a/**", "**/deep/x", "[a-c]?.txt", "[!a-c]1.bin",
    r"\#odd", r"\!odd", "trail\\ ", "sub/*.csv", "*.tmp/", "# a comment", "", "no[pe", "very/long/*/path",
]  # fmt: skip
PATHS = [
    "x.log", "a.txt", "sub/x.log", "build", "sub/build", "data", "data/one", "sub/data/one", "docs/tmp", "docs/a/b/tmp",
    "a/1", "a/b/2", "deep/x", "1/2/deep/x", "b1.txt", "d1.txt", "d1.bin", "a1.bin", "#odd", "!odd", "trail ",
    "sub/t.csv", "sub/more/t.csv", "x.tmp/file", "x.tmp2", "no[pe", "nope", "very/long/1/path", "very/long/1/2/path",
]  # fmt: skip


@pytest.mark.skipif(not shutil.which("git"), reason="asks git")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_says_what_it_says_to_git(pattern: str, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text(pattern + "\n")
    asked = subprocess.run(
        ["git", "-C", str(tmp_path), "check-ignore", "--no-index", "--stdin", "-z"],
        input="\0".join(PATHS),
        capture_output=True,
        text=True,
    )
    rules = list(rules_of([pattern], ""))
    ours = {path for path in PATHS if any(_is_left_out(rules, part) for part in _above(path))}
    assert ours == set(asked.stdout.split("\0")) - {""}


def _above(path: str) -> list[tuple[str, bool]]:
    """A file is left out with any folder that it is in."""
    parts = path.split("/")
    return [("/".join(parts[: n + 1]), n + 1 < len(parts)) for n in range(len(parts))]


def _is_left_out(rules, part: tuple[str, bool]) -> bool:  # type: ignore[no-untyped-def]
    return is_ignored(rules, part[0], is_folder=part[1])


def test_the_last_word_counts_and_a_file_speaks_of_its_own_folder() -> None:
    rules = [*rules_of(["*.csv", "!keep.csv"], ""), *rules_of(["keep.csv"], "sub")]
    assert is_ignored(rules, "a.csv", is_folder=False)
    assert not is_ignored(rules, "keep.csv", is_folder=False)
    assert is_ignored(rules, "sub/keep.csv", is_folder=False)
    assert not is_ignored(rules, "subway/keep.csv", is_folder=False)
