"""Resume of a batch: rows that completed before, unchanged, are left out.

What a row does is told by a digest: what is run, with which arguments, in which folder, with which environment, and the
content of its script. It travels as a label of the run, so that history knows it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from runyard.batch_after import FIELDS
from runyard_cluster.settings import ModuleSettings

#: The label that a run's digest is kept under.
LABEL = "resume_digest"

#: What makes a row another one; what it requests, its name, its labels and its place in the file do not.
_TOLD_BY = ("module", "command", "script", "python", "args", "cwd", "env")


def with_digests(
    runs: Sequence[Mapping[str, Any]], modules: Mapping[str, ModuleSettings]
) -> list[dict[str, Any]]:
    """Return rows with their digests as labels. `modules` are those of the settings."""
    contents: dict[str, str] = {}
    return [
        {**run, "labels": {**run.get("labels", {}), LABEL: _digest(run, modules, contents)}} for run in runs
    ]


def left_to_do(runs: Sequence[Mapping[str, Any]], done: Container[str]) -> list[dict[str, Any]]:
    """Return the rows that are to run, of rows with digests, where those `done` completed before.

    A row also runs again when one runs that it comes after. A row that would start only if others failed is left out
    with them when all of these completed before.
    """
    skipped = {index for index, run in enumerate(runs) if run["labels"][LABEL] in done}
    skipped = _without_those_after_others(runs, skipped)
    skipped |= {
        index
        for index, run in enumerate(runs)
        if run.get("after_failed") and skipped.issuperset(run["after_failed"])
    }
    kept = [index for index in range(len(runs)) if index not in skipped]
    places = {index: place for place, index in enumerate(kept)}
    return [_renumbered(runs[index], places) for index in kept]


def _without_those_after_others(runs: Sequence[Mapping[str, Any]], skipped: set[int]) -> set[int]:
    """Take away what comes after a row that runs, until nothing more is to be taken away."""
    followers: dict[int, list[int]] = {}
    for index, run in enumerate(runs):
        for earlier in (each for field in FIELDS for each in run.get(field, ())):
            followers.setdefault(earlier, []).append(index)
    left = set(skipped)
    running = [index for index in range(len(runs)) if index not in left]
    while running:
        for follower in followers.get(running.pop(), ()):
            if follower in left:
                left.discard(follower)
                running.append(follower)
    return left


def _renumbered(run: Mapping[str, Any], places: Mapping[int, int]) -> dict[str, Any]:
    found = dict(run)
    for field in FIELDS:
        earlier = [places[each] for each in found.pop(field, ()) if each in places]
        if earlier:
            found[field] = earlier
    return found


def _digest(run: Mapping[str, Any], modules: Mapping[str, ModuleSettings], contents: dict[str, str]) -> str:
    module = modules.get(run.get("module", ""))
    told: dict[str, Any] = {field: run[field] for field in _TOLD_BY if field in run}
    script = run.get("script")
    if module is not None and script is None and "command" not in run:
        told["definition"] = [
            str(each) for each in (module.script, module.command, module.python, module.cwd)
        ]
        told["definition_env"] = dict(module.env)
        script = module.script
    if script is not None:
        told["content"] = _content(Path(run.get("cwd", ""), script), contents)
    text = json.dumps(told, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _content(script: Path, contents: dict[str, str]) -> str:
    """Return a script's hash; one that cannot be read is none, and fails when it starts."""
    key = str(script)
    if key not in contents:
        try:
            contents[key] = hashlib.sha256(script.read_bytes()).hexdigest()
        except OSError:
            contents[key] = "cannot be read"
    return contents[key]
