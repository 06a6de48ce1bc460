"""Mapping: where paths of a folder lie in a copy of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath


def mapped(path: str, root: str, copy: Path) -> str:
    """Return where a path of the folder `root` lies in a copy of it; any other path as it is."""
    try:
        return str(copy / PurePath(path).relative_to(root))
    except ValueError:
        return path


def mapped_words(words: Sequence[str], root: str, copy: Path) -> tuple[str, ...]:
    """Return a command in which what names a file of the copy by its path does so in the copy."""
    found = []
    for word in words:
        there = mapped(word, root, copy)
        found.append(there if there != word and Path(there).exists() else word)
    return tuple(found)
