"""Which system's way of owning a process tree this shim uses."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from runyard_actors.shim._windows import WindowsTree as Tree
    from runyard_actors.shim._windows import close_answer, leave_parent
else:
    from runyard_actors.shim._posix import PosixTree as Tree
    from runyard_actors.shim._posix import close_answer, leave_parent

__all__ = ["Tree", "close_answer", "leave_parent"]
