"""Ignore: which files of a folder are left out, by the patterns of .gitignore and .runyardignore."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from runyard_cluster.errors import InvalidRequestError

#: In each folder; what the second one says has the last word, so `!data/` in it takes in what git leaves out.
FILES = (".gitignore", ".runyardignore")
#: Left out unless a pattern takes it in again: histories, environments, caches.
ALWAYS = (
    *(".git/", ".hg/", ".svn/", ".venv/", "venv/", "node_modules/", "__pycache__/", "*.py[cod]"),
    *(".mypy_cache/", ".pytest_cache/", ".ruff_cache/", ".ipynb_checkpoints/", ".tox/", ".DS_Store"),
)
_MOST_BYTES = 1 << 20
#: What a pattern comes to that makes no sense, such as [z-a] or a bracket that is not closed, as for git.
_NOTHING = r"(?!)"


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern. `base` is the folder of its file, relative to the root, "" for the root itself."""

    base: str
    expression: re.Pattern[str]
    is_for_folders: bool
    takes_in: bool

    def matches(self, path: str, *, is_folder: bool) -> bool:
        """Whether it speaks of a path, which is relative to the root."""
        if self.is_for_folders and not is_folder:
            return False
        if self.base and not path.startswith(f"{self.base}/"):
            return False
        return self.expression.fullmatch(path[len(self.base) + 1 if self.base else 0 :]) is not None


def first_rules() -> tuple[Rule, ...]:
    """Return what holds in every folder."""
    return tuple(rules_of(ALWAYS, ""))


def rules_in(folder: Path, base: str) -> list[Rule]:
    """Return the rules of a folder's own files. Raises InvalidRequestError for one that cannot be read."""
    found: list[Rule] = []
    for name in FILES:
        path = folder / name
        try:
            if not path.is_file():
                continue
            with path.open("rb") as file:
                text = file.read(_MOST_BYTES).decode("utf-8", "replace")
        except OSError as error:
            raise InvalidRequestError(
                f"code cannot be shipped: {path} cannot be read: {error.strerror}"
            ) from error
        found += rules_of(text.splitlines(), base)
    return found


def rules_of(lines: Iterable[str], base: str) -> Iterable[Rule]:
    """Yield the rule of each line; empty ones and comments have none."""
    for line in lines:
        pattern = re.sub(r"(?<!\\)\s+$", "", line)
        if not pattern or pattern.startswith("#"):
            continue
        takes_in = pattern.startswith("!")
        pattern = pattern.removeprefix("!").removeprefix("\\")
        is_for_folders = pattern.endswith("/")
        pattern = pattern.rstrip("/")
        if pattern:
            yield Rule(base, _expression(pattern), is_for_folders, takes_in)


def is_ignored(rules: Sequence[Rule], path: str, *, is_folder: bool) -> bool:
    """Whether the last rule that speaks of a path leaves it out."""
    for rule in reversed(rules):
        if rule.matches(path, is_folder=is_folder):
            return not rule.takes_in
    return False


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """Return the expression of a pattern: with a slash inside it is one path, else a name at any depth."""
    is_anchored = "/" in pattern
    found = "" if is_anchored else "(?:.*/)?"
    pattern = pattern.removeprefix("/")
    at = 0
    while at < len(pattern):
        rest = pattern[at:]
        if rest.startswith("**/"):
            found, at = f"{found}(?:.*/)?", at + 3
        elif rest == "**":
            found, at = f"{found}.+", at + 2
        elif rest[0] == "*":
            found, at = f"{found}[^/]*", at + 1
        elif rest[0] == "?":
            found, at = f"{found}[^/]", at + 1
        elif rest[0] == "[" and (closed := re.match(r"\[(!?)(\]?[^\]]*)\]", rest)):
            inside = closed[2].replace("\\", "\\\\").replace("[", "\\[")
            found, at = f"{found}[{'^' if closed[1] else ''}{inside}]", at + closed.end()
        elif rest[0] == "[":
            return re.compile(_NOTHING)
        elif rest[0] == "\\" and len(rest) > 1:
            found, at = found + re.escape(rest[1]), at + 2
        else:
            found, at = found + re.escape(rest[0]), at + 1
    try:
        return re.compile(found, re.DOTALL)
    except re.error:
        return re.compile(_NOTHING)
