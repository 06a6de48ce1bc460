"""Many process trees at once, from one pass over the machine's processes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from runyard_cluster import process


class ProcessRow(NamedTuple):
    """One process: its CPU seconds, those of its children that ended and that it waited for, its resident bytes."""

    pid: int
    parent: int
    own: float
    ended_children: float = 0.0
    memory: int = 0


@dataclass(frozen=True, slots=True)
class TreeUse:
    """What all descendants of one process use together: CPU seconds so far, resident bytes, and who they are.

    Resident pages that processes share count once for each of them.
    """

    cpu_seconds: float = 0.0
    memory: int = 0
    pids: frozenset[int] = frozenset()


def process_rows() -> list[ProcessRow]:
    """Return every process of the machine that may be looked at."""
    return [ProcessRow(*row) for row in process.process_table()]


def tree_uses(roots: Collection[int], rows: Iterable[ProcessRow]) -> dict[int, TreeUse]:
    """Return what hangs below each root, without the root itself; nothing for one that is gone.

    The time of descendants that ended counts as far as the system adds it to whoever waited for them; a root waits
    for orphans, so what it waited for counts as well.
    """
    every = {row.pid: row for row in rows}
    members: dict[int, list[ProcessRow]] = {root: [] for root in roots}
    for pid, root in nearest_roots(members, every).items():
        if pid != root:
            members[root].append(every[pid])
    return {root: _sum(every.get(root), found) for root, found in members.items()}


def nearest_roots(roots: Collection[int], every: Mapping[int, ProcessRow]) -> dict[int, int]:
    """Return for each process that is one of `roots`, or descends from one, the nearest of them."""
    known: dict[int, int | None] = {root: root for root in roots}
    for pid in every:
        path: list[int] = []
        while pid not in known and pid in every:
            # Until its ancestors say otherwise: that ends a circle, which a reused pid can make.
            known[pid] = None
            path.append(pid)
            pid = every[pid].parent
        known |= dict.fromkeys(path, known.get(pid))
    return {pid: root for pid, root in known.items() if root is not None and pid in every}


def _sum(root: ProcessRow | None, below: list[ProcessRow]) -> TreeUse:
    return TreeUse(
        cpu_seconds=sum(row.own + row.ended_children for row in below)
        + (root.ended_children if root else 0.0),
        memory=sum(row.memory for row in below),
        pids=frozenset(row.pid for row in below),
    )
