"""A few words on the screen of whoever sits at this machine: the only place that asks which system it is."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from runyard_cluster.desktop._windows import NEEDED, program
elif sys.platform == "darwin":
    from runyard_cluster.desktop._macos import NEEDED, program
else:
    from runyard_cluster.desktop._freedesktop import NEEDED, program

__all__ = ["NEEDED", "program"]
