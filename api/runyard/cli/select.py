"""What people name on the command line: a run by (part of) its id, `last`, or a batch by `@`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from runyard.cli.source import Source, every_run, only
from runyard_cluster.errors import NotFoundError

#: Batches looked through for a name or part of an id.
BATCHES_LOOKED_AT = 1_000


@dataclass(frozen=True, slots=True)
class Selected:
    """A run or a batch, by its full id."""

    id: str
    is_batch: bool = False


def select(source: Source, names: Sequence[str]) -> list[Selected]:
    """Return what each name stands for, each once. Raises NotFoundError and InvalidRequestError."""
    return list(dict.fromkeys(_select(source, name) for name in names))


def runs_of(source: Source, selected: Iterable[Selected]) -> list[dict[str, Any]]:
    """Return the runs selected, those of batches included, each once."""
    found: dict[str, dict[str, Any]] = {}
    for each in selected:
        runs = every_run(source, batch_id=each.id) if each.is_batch else [source.run(each.id)]
        found |= {run["run_id"]: run for run in runs}
    return list(found.values())


def select_batch(source: Source, name: str) -> str:
    """Return the id of the batch with that name, id, or beginning of an id; `last` is the newest one."""
    wanted = name.removeprefix("@")
    batches = source.batches(BATCHES_LOOKED_AT)
    if wanted == "last":
        return only([b["batch_id"] for b in batches[:1]], "there is no batch yet", "")
    named = [b["batch_id"] for b in batches if b["name"] == wanted]
    if named:
        return str(named[0])
    start = wanted.upper()
    return only(
        [b["batch_id"] for b in batches if start and b["batch_id"].startswith(start)],
        f"no batch {wanted[:40]!r} is known",
        f"more than one batch begins with {wanted!r}; give more of the id",
    )


def _select(source: Source, name: str) -> Selected:
    """A bare id may be a batch's as well; a run goes first."""
    if name.startswith("@"):
        return Selected(select_batch(source, name), True)
    try:
        return Selected(source.resolve(name))
    except NotFoundError as error:
        try:
            return Selected(select_batch(source, name), True)
        except NotFoundError:
            raise error from None
