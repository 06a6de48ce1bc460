"""What a batch file's rows come after: names become indexes, and circles are refused."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from typing import Any

#: An index in the batch, the field, and what is wrong with it.
Problem = tuple[int, str, str]


#: The fields of a row that name rows which come before it.
FIELDS = ("after", "after_any", "after_failed")


def resolve_after(runs: list[dict[str, Any]]) -> list[Problem]:
    """Replace names in what each run comes after by indexes; return what is wrong. Indexes count from 0."""
    names = Counter(run["name"] for run in runs if "name" in run)
    index_of = {run["name"]: i for i, run in enumerate(runs) if "name" in run}
    problems: list[Problem] = []
    for own, run in enumerate(runs):
        for field in FIELDS:
            found = []
            for wanted in run.get(field, ()):
                try:
                    found.append(_index(wanted, own, len(runs), names, index_of))
                except ValueError as error:
                    problems.append((own, field, str(error)))
            if found:
                run[field] = list(dict.fromkeys(found))
    return problems or _circle(runs)


def _earlier(run: dict[str, Any]) -> list[int]:
    """Return the indexes of all rows that one comes after, each once."""
    return list(dict.fromkeys(index for field in FIELDS for index in run.get(field, ())))


def _index(wanted: int | str, own: int, total: int, names: Counter[str], index_of: dict[str, int]) -> int:
    if isinstance(wanted, int):
        if not 0 <= wanted < total:
            raise ValueError(f"there is no row with index {wanted}; indexes go from 0 to {total - 1}")
        found = wanted
    elif names[wanted] == 1:
        found = index_of[wanted]
    elif names[wanted] > 1:
        raise ValueError(f"{names[wanted]} rows are named {wanted!r}; use an index instead")
    else:
        hint = "".join(f"; did you mean {m!r}?" for m in get_close_matches(wanted, list(index_of)[:2_000], 1))
        raise ValueError(f"no row is named {wanted!r}{hint}")
    if found == own:
        raise ValueError("a run cannot come after itself")
    return found


def _circle(runs: list[dict[str, Any]]) -> list[Problem]:
    """Take away rows whose predecessors are all taken away; what is left waits for itself."""
    missing = [len(_earlier(run)) for run in runs]
    followers: dict[int, list[int]] = {}
    for own, run in enumerate(runs):
        for earlier in _earlier(run):
            followers.setdefault(earlier, []).append(own)
    free = [i for i, n in enumerate(missing) if n == 0]
    while free:
        for follower in followers.get(free.pop(), ()):
            missing[follower] -= 1
            if missing[follower] == 0:
                free.append(follower)
    stuck = next((i for i, n in enumerate(missing) if n > 0), None)
    return [] if stuck is None else [(stuck, "after", f"waits for itself: {_walk(runs, missing, stuck)}")]


def _walk(runs: list[dict[str, Any]], missing: list[int], start: int) -> str:
    path: list[int] = []
    seen: set[int] = set()
    at = start
    while at not in seen:
        seen.add(at)
        path.append(at)
        at = next(i for i in _earlier(runs[at]) if missing[i] > 0)
    circle = path[path.index(at) :]
    shown = [str(runs[i].get("name", i)) for i in [*circle[:8], *(circle[:1] if len(circle) <= 8 else ())]]
    return " after ".join(shown) + ("" if len(circle) <= 8 else " …")
