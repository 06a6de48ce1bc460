"""Contact: when the manager had surely heard of a node last, which a file's time tells the node's supervisors.

With `fence_nodes`, a supervisor ends its run once that is too long ago: the manager gives the node up later than that,
so that what it tries again elsewhere never runs beside what it lost here.
"""

from __future__ import annotations

import os
import sys
import time

#: Of `node_timeout`: after the first part without contact a run is asked to end, and killed after the second. What is
#: left is for supervisors that are slow to look, and for processes that are slow to die.
SHARE_OF_TIMEOUT, SHARE_OF_GRACE = 0.5, 0.25


def contact_seconds(node_timeout: float) -> float:
    """Return how long after the last contact runs are asked to end."""
    return node_timeout * SHARE_OF_TIMEOUT


def contact_grace(seconds: float, grace_seconds: float) -> float:
    """Return how long they may take, of the grace that they have otherwise."""
    return min(grace_seconds, seconds * SHARE_OF_GRACE / SHARE_OF_TIMEOUT)


def now_ns() -> int:
    """Return a time that all processes of this boot share, and that passes while the machine is suspended, too."""
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


def note(file: str, at_ns: int) -> None:
    """Tell the supervisors of this node when the manager had heard of it last."""
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))
    os.utime(file, ns=(at_ns, at_ns))


def silent_seconds(file: str) -> float:
    """Return how long ago the last contact was; for ever if nobody can tell."""
    try:
        return (now_ns() - os.stat(file).st_mtime_ns) / 1e9  # noqa: PTH116 - in a shim
    except OSError:
        return float("inf")
