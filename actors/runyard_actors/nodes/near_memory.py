"""Near its memory: which runs of this node hold much of what they may, as the manager asks now and then."""

from __future__ import annotations

from collections.abc import Mapping

from runyard_actors.run import AttemptKey
from runyard_cluster import process
from runyard_cluster.trees import process_rows, tree_uses


def near_memory(shims: Mapping[AttemptKey, int], least: Mapping[AttemptKey, int]) -> dict[AttemptKey, int]:
    """Return the bytes that runs hold which hold at least so many; `shims` has the pids of their supervisors.

    Resident pages may be shared, and the exact figure is dear: it is asked for where the other one says so.
    """
    trees = tree_uses(set(shims.values()), process_rows()) if shims else {}
    found = {}
    for key, shim in shims.items():
        tree = trees[shim]
        if tree.memory >= least[key]:
            used = min(tree.memory, process.tree_anonymous_bytes(tree.pids))
            if used >= least[key]:
                found[key] = used
    return found
