"""Holding a tree still for as long as a file in the folder asks for it."""

from __future__ import annotations

import time

from runyard_actors.shim import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runyard_actors.shim.system import Tree


class Suspension:
    """Follows the request. Time that a tree is held still counts for no limit of time. Times are monotonic."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._since: float | None = None
        self._earlier_seconds = 0.0

    @property
    def is_on(self) -> bool:
        """Whether the tree is held still."""
        return self._since is not None

    def seconds(self, now: float) -> float:
        """Return how long the tree was held still until `now`, all times together."""
        return self._earlier_seconds + (now - self._since if self._since is not None else 0.0)

    def follow(self, now: float) -> bool:
        """Do what is asked for by now; return whether that is something new."""
        if not record.is_suspend_asked():
            return self.end(now)
        self._tree.suspend()
        if self._since is not None:
            return False
        self._since = now
        record.write_suspended(time.time_ns() // 1000)
        return True

    def end(self, now: float) -> bool:
        """Let the tree go on, if it is held still; return whether it was."""
        if self._since is None:
            return False
        self._tree.resume()
        self._earlier_seconds = self.seconds(now)
        self._since = None
        record.forget_suspended()
        return True
