"""Which system's way of owning a process tree this shim uses."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from runyard_actors.shim._windows import WindowsTree as Tree
    from runyard_actors.shim._windows import be_guarded, leave_parent, name_process
else:
    from runyard_actors.shim._posix import PosixTree as Tree
    from runyard_actors.shim._posix import be_guarded, leave_parent, name_process

__all__ = ["Tree", "be_guarded", "leave_parent", "name_process"]
