"""An origin as a value, and what differs between two of them in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

#: Characters of a commit that people are shown.
SHORT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What is not known, or is not there, is None: no interpreter of Python, no git.

    `packages` is a digest over names and versions of all installed packages; `dirty` says that tracked files differ
    from the commit.
    """

    python: str | None = None
    python_version: str | None = None
    packages: str | None = None
    commit: str | None = None
    dirty: bool | None = None


def origin_to_json(origin: Origin) -> dict[str, Any]:
    """Return all of it as JSON."""
    return asdict(origin)


def origin_from_json(given: Mapping[str, Any]) -> Origin:
    """Return what `origin_to_json` made, or an earlier version of it did."""
    known = {f.name for f in fields(Origin)}
    return Origin(**{k: v for k, v in given.items() if k in known})


def changes(before: Origin, after: Origin) -> list[str]:
    """Say what changed, in sentences; what is not known of either is passed over."""
    found = []
    if _differ(before.commit, after.commit):
        found.append(f"commit {_short(before.commit)} became {_short(after.commit)}")
    if before.dirty or after.dirty:
        when = "then and now" if before.dirty and after.dirty else "then" if before.dirty else "now"
        found.append(
            f"files differed from the commit {when}" if before.dirty else "files differ from the commit now"
        )
    if _differ(before.python_version, after.python_version):
        found.append(f"Python {before.python_version} became {after.python_version}")
    elif _differ(before.python, after.python):
        found.append(f"the interpreter {before.python} became {after.python}")
    if _differ(before.packages, after.packages):
        found.append("other versions of packages are installed")
    return found


def _differ(before: str | None, after: str | None) -> bool:
    return before is not None and after is not None and before != after


def _short(commit: str | None) -> str:
    return (commit or "")[:SHORT]
