"""The screen in front of the human, where this system tells of it: the only place that asks which one it is."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from runyard_cluster.screen._windows import NEEDED, is_full
elif sys.platform == "darwin":
    from runyard_cluster.screen._macos import NEEDED, is_full
else:
    from runyard_cluster.screen._x11 import NEEDED, is_full

__all__ = ["NEEDED", "is_full"]
